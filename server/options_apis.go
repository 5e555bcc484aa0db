// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	genericoptions "k8s.io/apiserver/pkg/server/options"

	"github.com/stoa-project/stoa/registry/kind"
)

// Values of --api-groups that are no names of groups.
const (
	groupsAll     = "all"
	groupsMinimal = "minimal"
	groupsCore    = "core" // its name in the API is empty
)

// minimal is what --api-groups=minimal leaves: what the server itself reads, and
// what every Kubernetes-style API has. No kinds means all of the group.
//
//nolint:gochecknoglobals // constant
var minimal = map[string][]string{
	"": {
		"configmaps", "events", "namespaces", "resourcequotas", "secrets", "serviceaccounts",
	},
	"admissionregistration.k8s.io": nil,
	"authentication.k8s.io":        nil,
	"authorization.k8s.io":         nil,
	"coordination.k8s.io":          nil,
	"events.k8s.io":                nil,
	"flowcontrol.apiserver.k8s.io": nil,
	"rbac.authorization.k8s.io":    nil,
}

// APIOptions say which of the API groups are served.
type APIOptions struct {
	*genericoptions.APIEnablementOptions
	// Groups are names of built-in groups, "core" for the one without a name, "all",
	// or "minimal". Empty: no built-in group. Others than built-in ones are served
	// anyway.
	Groups []string
}

func newAPIOptions() *APIOptions {
	return &APIOptions{APIEnablementOptions: genericoptions.NewAPIEnablementOptions(), Groups: []string{groupsAll}}
}

// AddFlags adds kube-apiserver's flag and the one that leaves groups out.
func (o *APIOptions) AddFlags(flags *pflag.FlagSet) {
	o.APIEnablementOptions.AddFlags(flags)
	flags.StringSliceVar(&o.Groups, "api-groups", o.Groups,
		"Built-in API groups to have: all, minimal, and names of groups such as core or apps. "+
			"minimal is "+describeMinimal()+". Groups that are left out do not exist, and cost nothing; --runtime-config switches versions of the others off.")
}

func describeMinimal() string {
	parts := make([]string, 0, len(minimal))
	for _, name := range slices.Sorted(maps.Keys(minimal)) {
		if kinds := minimal[name]; len(kinds) > 0 {
			name = strings.Join(kinds, ", ") + " of " + cmp.Or(name, groupsCore)
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, ", ")
}

// choose returns those of the groups that are to be served.
func (o *APIOptions) choose(groups []kind.Group) ([]kind.Group, error) {
	if slices.Equal(o.Groups, []string{groupsAll}) {
		return groups, nil
	}
	builtin := map[string]bool{}
	for _, g := range DefaultGroups() {
		builtin[g.Name] = true
	}
	whole, everything, small := map[string]bool{}, false, false
	for _, name := range o.Groups {
		switch {
		case name == groupsAll:
			everything = true
		case name == groupsMinimal:
			small = true
		case name == groupsCore:
			whole[""] = true
		case name != "" && builtin[name]:
			whole[name] = true
		default:
			return nil, fmt.Errorf("--api-groups: unknown group %q: known are %s", name, known(builtin))
		}
	}
	var out []kind.Group
	for _, g := range groups {
		kinds, isMinimal := minimal[g.Name]
		switch {
		case everything, !builtin[g.Name], whole[g.Name]:
		case !small || !isMinimal:
			continue
		case len(kinds) > 0:
			g.Resources = slices.DeleteFunc(slices.Clone(g.Resources), func(r kind.Resource) bool {
				return !slices.Contains(kinds, r.Kind.Resource())
			})
		}
		out = append(out, g)
	}
	return out, nil
}

// known lists what --api-groups takes.
func known(builtin map[string]bool) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(builtin)), func(name string) bool { return name == "" })
	return strings.Join(append([]string{groupsAll, groupsMinimal, groupsCore}, names...), ", ")
}
