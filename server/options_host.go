// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/host"
	"github.com/stoa-project/stoa/server/pki"
)

const (
	flagAggregated = "aggregated"
	flagHost       = "kubeconfig"
	flagGrace      = "host-grace-period"
	flagService    = "aggregated-service"
	flagSecret     = "aggregated-ca-secret" //nolint:gosec // the name of a flag

	// defaultGrace is how long reads go on without the host.
	defaultGrace = 2 * time.Minute
	// DefaultService is what stoa install calls the service of a server in aggregated mode.
	DefaultService = "stoa-system/stoa"
	// defaultSecret is the secret of such a server in a pod.
	defaultSecret = "stoa-system/stoa-ca"
)

// HostOptions put the server behind a cluster, the host, that has everything but the
// groups that only Stoa has. The host says who users are and what they may do.
type HostOptions struct {
	// Aggregated serves the groups that only Stoa has. Unset, the other options must be
	// unset too.
	Aggregated bool
	// Kubeconfig says how to reach the host. Empty: the server is a pod of it.
	Kubeconfig string
	// Grace is how long what the host said last holds for reads when it does not answer.
	Grace time.Duration
	// Service is the one by which the host reaches the server, as namespace/name.
	Service string
	// Secret keeps the authority that signs the serving certificate, as namespace/name.
	// Empty: the data folder does with Kubeconfig, and a secret of that name without.
	Secret string
	// Lifetimes are those of that authority and certificate, and Interval is how often
	// they are looked after. Both have no flag.
	Lifetimes pki.Lifetimes
	Interval  time.Duration

	flags *pflag.FlagSet // nil without flags
}

func newHostOptions() *HostOptions {
	return &HostOptions{Grace: defaultGrace, Service: DefaultService, Lifetimes: host.DefaultLifetimes()}
}

// AddFlags adds the flags of aggregated mode.
func (o *HostOptions) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.Aggregated, flagAggregated, o.Aggregated, "Serve the groups that only Stoa has, behind an existing cluster that has all others and says who users are and what they may do. See docs/aggregated.md.")
	fs.StringVar(&o.Kubeconfig, flagHost, o.Kubeconfig, "File that says how to reach the cluster of --aggregated. Empty: the server is a pod of it.")
	fs.DurationVar(&o.Grace, flagGrace, o.Grace, "How long reads go on with what the cluster of --aggregated said last, when it does not answer.")
	fs.StringVar(&o.Service, flagService, o.Service, "Service by which the cluster of --aggregated reaches the server, as namespace/name.")
	fs.StringVar(&o.Secret, flagSecret, o.Secret, "Secret in the cluster of --aggregated that keeps the authority of the serving certificate, as namespace/name. Empty: "+defaultSecret+" in a pod, --data-dir with --kubeconfig.")
	o.flags = fs
}

// Validate reports everything that is wrong with the options.
func (o *HostOptions) Validate() []error {
	if !o.Aggregated {
		return changed(o.flags, "", func(name string) error { return fmt.Errorf("--%s needs --%s", name, flagAggregated) })
	}
	var errs []error
	if o.Grace < 0 {
		errs = append(errs, fmt.Errorf("--%s must not be negative", flagGrace))
	}
	if o.Lifetimes.Authority <= 0 || o.Lifetimes.Leaf <= 0 || o.Lifetimes.Overlap < 0 || o.Interval < 0 {
		errs = append(errs, errors.New("the lifetimes of certificates must be positive"))
	}
	if _, err := host.ParseObjectName(o.Service); err != nil {
		errs = append(errs, fmt.Errorf("--%s: %w", flagService, err))
	}
	if _, err := o.secret(); err != nil {
		errs = append(errs, fmt.Errorf("--%s: %w", flagSecret, err))
	}
	return errs
}

// secret is where the authority is kept; without a name, the data folder is.
func (o *HostOptions) secret() (host.ObjectName, error) {
	switch {
	case o.Secret != "":
		return host.ParseObjectName(o.Secret)
	case o.Kubeconfig == "":
		return host.ParseObjectName(defaultSecret)
	default:
		return host.ObjectName{}, nil
	}
}

// changed returns an error for each flag that was given, but for one.
func changed(flags *pflag.FlagSet, but string, complain func(name string) error) []error {
	var errs []error
	if flags != nil {
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Changed && f.Name != but {
				errs = append(errs, complain(f.Name))
			}
		})
	}
	return errs
}

// validateHost reports options that leave to the server what the host decides.
func (c CompletedOptions) validateHost() []error {
	errs := c.Host.Validate()
	if !c.Host.Aggregated {
		return errs
	}
	complain := func(name string) error {
		return fmt.Errorf("--%s must not be set with --%s: the host decides that", name, flagAggregated)
	}
	errs = append(errs, changed(c.Authentication.flags, flagAnonymous, complain)...)
	errs = append(errs, changed(c.Authorization.flags, "", complain)...)
	if len(c.Groups) == 0 {
		errs = append(errs, fmt.Errorf("--%s: --api-groups leaves no group that only Stoa has", flagAggregated))
	}
	return errs
}

// behindHost leaves out what the host has.
func (c *completedOptions) behindHost() {
	c.Groups = slices.DeleteFunc(slices.Clone(c.Groups), func(g kind.Group) bool { return ofKubernetes(g.Name) })
	c.CustomResources = false
	aggregation, flow := *c.Aggregation, *c.FlowControl
	aggregation.Enabled, flow.PriorityAndFairness = false, false
	c.Aggregation, c.FlowControl = &aggregation, &flow
}

// ofKubernetes says whether a group is one of Kubernetes' own.
func ofKubernetes(group string) bool {
	_, known := groupPriorities[group]
	return known
}

// available says whether resources are there: with the server or, in aggregated mode,
// with the host.
func (c CompletedOptions) available(config *genericapiserver.Config, resources []schema.GroupVersionResource) bool {
	has := func(r schema.GroupVersionResource) bool {
		return serves(c.Groups, config, r) || c.Host.Aggregated && ofKubernetes(r.Group)
	}
	return !slices.ContainsFunc(resources, func(r schema.GroupVersionResource) bool { return !has(r) })
}

// AggregatedAPIs are the groups and versions of a server in aggregated mode, with the
// priorities that they have in a server that has all, the first version first.
func AggregatedAPIs() ([]*apiregistration.APIService, error) {
	groups := slices.DeleteFunc(DefaultGroups(), func(g kind.Group) bool { return ofKubernetes(g.Name) })
	scheme, err := newScheme(groups)
	if err != nil {
		return nil, err
	}
	var out []*apiregistration.APIService
	for _, g := range groups {
		for _, gv := range scheme.PrioritizedVersionsForGroup(g.Name) {
			out = append(out, apiService(gv, priorityOf(scheme, gv)))
		}
	}
	return out, nil
}

// apiServices are the names of those by which the host knows the server.
func (c CompletedOptions) apiServices() []string {
	var out []string
	for gv, enabled := range servedVersions(c.Groups).GroupVersionConfigs {
		if enabled {
			out = append(out, gv.Version+"."+gv.Group)
		}
	}
	slices.Sort(out)
	return out
}
