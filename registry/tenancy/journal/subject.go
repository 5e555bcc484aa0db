// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Subject is who sees something: a user or a group. A service account is the user that
// it authenticates as.
type Subject struct {
	Group bool
	Name  string
}

func compareSubjects(a, b Subject) int {
	if a.Group != b.Group {
		if a.Group {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.Name, b.Name)
}

// subjects is a set, in order, that is never changed.
type subjects []Subject

func (s subjects) has(one Subject) bool {
	_, found := slices.BinarySearchFunc(s, one, compareSubjects)
	return found
}

// Who is a user: his name, and the groups that he is in.
type Who []Subject

// NewWho returns who a user is.
func NewWho(info user.Info) Who {
	out := make(Who, 0, len(info.GetGroups())+1)
	out = append(out, Subject{Name: info.GetName()})
	for _, group := range info.GetGroups() {
		out = append(out, Subject{Group: true, Name: group})
	}
	return out
}

// in says whether the user is, or is in, one of the subjects.
func (w Who) in(all subjects) bool {
	return len(all) > 0 && slices.ContainsFunc(w, all.has)
}

// privileged says whether everything is open to the user, as it is in authorization.
func (w Who) privileged() bool {
	return slices.Contains(w, Subject{Group: true, Name: user.SystemPrivilegedGroup})
}

// readSubjects returns the subjects of a binding in a namespace, each once; those of a
// cluster role binding or a tenant are in none.
func readSubjects(in []rbacv1.Subject, namespace string) []Subject {
	out := make([]Subject, 0, len(in))
	for i := range in {
		one := Subject{Name: in[i].Name}
		switch in[i].Kind {
		case rbacv1.UserKind:
		case rbacv1.GroupKind:
			one.Group = true
		case rbacv1.ServiceAccountKind:
			of := cmp.Or(in[i].Namespace, namespace)
			if of == "" {
				continue
			}
			one.Name = serviceaccount.MakeUsername(of, in[i].Name)
		default:
			continue
		}
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// role is what a role shows to those to whom it is bound.
type role struct {
	// something is true if it has a rule: bound in a namespace, it shows that.
	something bool
	// everything is true if it lets every namespace be got, and names has those that it
	// names: bound for the cluster, it shows them.
	everything bool
	names      []string
}

func readRole(rules []rbacv1.PolicyRule) role {
	out := role{something: len(rules) > 0}
	has := func(list []string, one string) bool { return slices.Contains(list, one) || slices.Contains(list, "*") }
	for i := range rules {
		r := &rules[i]
		switch {
		case !has(r.Verbs, "get") || !has(r.APIGroups, "") || !has(r.Resources, "namespaces"):
		case len(r.ResourceNames) == 0:
			out.everything = true
		default:
			out.names = append(out.names, r.ResourceNames...)
		}
	}
	slices.Sort(out.names)
	out.names = slices.Compact(out.names)
	return out
}

func (r role) equal(other role) bool {
	return r.something == other.something && r.everything == other.everything && slices.Equal(r.names, other.names)
}
