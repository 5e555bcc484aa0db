// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/compatibility"
	_ "k8s.io/component-base/metrics/prometheus/clientgo/leaderelection" // whether this server runs the controllers
	_ "k8s.io/component-base/metrics/prometheus/version"                 // kubernetes_build_info
	_ "k8s.io/component-base/metrics/prometheus/workqueue"               // queue metrics of the dynamic certificate controllers

	"github.com/stoa-project/stoa/controllers"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/version/effective"
)

const (
	// DefaultDataDir is where a server keeps everything, below the working directory.
	DefaultDataDir = ".stoa"
	// defaultWatchDrain is how long a stopping server lets watches end before it
	// cuts them. Upstream's default is not to end them at all, which holds up a stop
	// until the request timeout is over.
	defaultWatchDrain = 2 * time.Second
)

// Options are the settings of a server as users give them: NewOptions has every
// default, AddFlags binds flags, Complete derives what was left open, Validate
// checks, and New builds the server.
type Options struct {
	// Groups are the API groups that the server has. NewOptions fills in the
	// built-in ones; programs that use this package append their own.
	Groups []kind.Group
	// DataDir holds the embedded etcd, certificates and the admin kubeconfig. Empty:
	// everything is in a temporary folder that Stop removes.
	DataDir string

	// WithoutCA leaves out the server's own CA, as kube-apiserver does: clients are
	// believed by Authentication.ClientCAFile alone, kubelets are shown
	// Kubelet.CertFile or nothing, there is no administrator, and without
	// Serving.CertFile the server signs a certificate for itself.
	WithoutCA bool

	// Run holds timeouts and limits of requests, feature gates and emulated version.
	Run *genericoptions.ServerRunOptions
	// Serving is where and with what certificate the server listens.
	Serving *ServingOptions
	// Etcd is where objects are stored.
	Etcd *EtcdOptions
	// Service says which addresses and ports services get.
	Service *ServiceOptions
	// Authentication says whom the server believes.
	Authentication *AuthenticationOptions
	// Authorization says who may do what.
	Authorization *AuthorizationOptions
	// Audit says which requests are recorded.
	Audit *AuditOptions
	// Kubelet is how the server reaches kubelets.
	Kubelet *KubeletOptions
	// Admission is the chain of plugins that see a write before it is stored.
	Admission *AdmissionOptions
	// Maintenance is how often the server puts the objects of flow control, the system
	// namespaces and what extension servers learn about clients right.
	Maintenance time.Duration
	// FlowControl says in which order requests are served.
	FlowControl *FlowControlOptions
	// Controllers says which controllers run in the server.
	Controllers *controllers.Options
	// Tenancy is about tenants and projects.
	Tenancy *TenancyOptions
	// APIs says which of the groups and versions are served.
	APIs *APIOptions
	// CustomResources serves CustomResourceDefinitions and what they define. Off, the
	// kind does not exist and costs nothing.
	CustomResources bool
	// Host puts this server behind another one.
	Host *HostOptions
	// Aggregation puts other API servers behind this one.
	Aggregation *AggregationOptions
	// Profiling serves /debug/pprof to administrators.
	Profiling bool
}

// NewOptions returns the options of a server with the built-in groups, which
// keeps its data in DefaultDataDir.
func NewOptions() *Options {
	registry := compatibility.NewComponentGlobalsRegistry()
	if err := registry.Register(compatibility.DefaultKubeComponent, effective.New(), utilfeature.DefaultMutableFeatureGate); err != nil {
		panic(fmt.Errorf("new registry has an entry: %w", err)) // only a programmer can cause it
	}
	run := genericoptions.NewServerRunOptionsForComponent(compatibility.DefaultKubeComponent, registry)
	run.ShutdownWatchTerminationGracePeriod = defaultWatchDrain
	limitToProcessors(run)
	return &Options{
		Groups:          DefaultGroups(),
		DataDir:         DefaultDataDir,
		Run:             run,
		Serving:         newServingOptions(),
		Etcd:            newEtcdOptions(),
		Service:         newServiceOptions(),
		Authentication:  newAuthenticationOptions(),
		Authorization:   newAuthorizationOptions(),
		Audit:           newAuditOptions(),
		Kubelet:         newKubeletOptions(),
		Admission:       newAdmissionOptions(),
		Maintenance:     time.Minute,
		FlowControl:     newFlowControlOptions(),
		Controllers:     controllers.NewOptions(),
		Tenancy:         newTenancyOptions(),
		APIs:            newAPIOptions(),
		CustomResources: true,
		Host:            newHostOptions(),
		Aggregation:     newAggregationOptions(),
		Profiling:       true,
	}
}

// AddFlags adds the flags of a server in named sections. Their names are those of
// kube-apiserver where it has them.
func (o *Options) AddFlags(sections *cliflag.NamedFlagSets) {
	data := sections.FlagSet("data")
	data.StringVar(&o.DataDir, "data-dir", o.DataDir, "Folder of the embedded etcd, the certificates and the admin kubeconfig. Created with mode 0700.")
	o.Etcd.addEmbeddedFlags(data)
	o.Etcd.AddFlags(sections.FlagSet("etcd"))
	o.Service.AddFlags(sections.FlagSet("services"))
	o.Serving.AddFlags(sections.FlagSet("secure serving"))
	o.Authentication.AddFlags(sections.FlagSet("authentication"))
	o.Authorization.AddFlags(sections.FlagSet("authorization"))
	o.Audit.AddFlags(sections.FlagSet("auditing"))
	o.Kubelet.AddFlags(sections.FlagSet("kubelets"))
	o.Run.AddUniversalFlags(sections.FlagSet("generic"))
	describeLimits(sections.FlagSet("generic"))
	apis := sections.FlagSet("API enablement")
	o.APIs.AddFlags(apis)
	apis.BoolVar(&o.CustomResources, "custom-resources", o.CustomResources, "Serve CustomResourceDefinitions and the resources that they define.")
	o.Aggregation.AddFlags(sections.FlagSet("aggregation"))
	o.Host.AddFlags(sections.FlagSet("aggregated mode"))
	o.Admission.AddFlags(sections.FlagSet("admission"))
	o.Controllers.AddFlags(sections.FlagSet("controllers"))
	o.Tenancy.AddFlags(sections.FlagSet("tenancy"))
	features := sections.FlagSet("features")
	features.BoolVar(&o.Profiling, "profiling", o.Profiling, "Enable profiling via web interface host:port/debug/pprof/")
	o.FlowControl.AddFlags(features)
}

// Flags returns the flags of AddFlags in one set.
func (o *Options) Flags() *pflag.FlagSet {
	var sections cliflag.NamedFlagSets
	o.AddFlags(&sections)
	flags := pflag.NewFlagSet("stoa", pflag.ContinueOnError)
	for _, section := range sections.FlagSets {
		flags.AddFlagSet(section)
	}
	return flags
}

// completedOptions is only made by Complete.
type completedOptions struct {
	Options
	// advertise is the address that clients outside this machine use.
	advertise net.IP
	// embedded is the folder of the embedded etcd; empty with --etcd-servers.
	embedded string
	// pki is the folder of certificates; empty keeps them in memory.
	pki string
	// types are those of the groups.
	types *types
	// clusterIPRanges are the parsed ranges of Service.
	clusterIPRanges []netip.Prefix
}

// CompletedOptions are options with everything filled in.
type CompletedOptions struct {
	*completedOptions
}

// Complete derives what was left open; ctx carries the logger. It changes nothing
// outside o but the feature gates, which k8s.io keeps for the whole process.
func (o *Options) Complete(ctx context.Context) (CompletedOptions, error) {
	c := &completedOptions{Options: *o}
	if err := o.Run.ComponentGlobalsRegistry.Set(); err != nil {
		return CompletedOptions{}, fmt.Errorf("--feature-gates, --emulated-version or --min-compatibility-version: %w", err)
	}
	var err error
	if c.clusterIPRanges, err = c.Service.ranges(); err != nil {
		return CompletedOptions{}, err
	}
	if c.Groups, err = c.APIs.choose(o.Groups); err != nil {
		return CompletedOptions{}, err
	}
	c.Groups = c.Admission.extend(c.Groups)
	if c.Host.Aggregated {
		c.behindHost()
	}
	if c.types, err = newTypes(c.Groups); err != nil {
		return CompletedOptions{}, err
	}
	if c.advertise, err = c.Serving.advertiseAddress(ctx, c.Run.AdvertiseAddress); err != nil {
		return CompletedOptions{}, err
	}
	run := *o.Run
	run.AdvertiseAddress = c.advertise
	c.Run = &run
	if c.DataDir != "" {
		if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
			return CompletedOptions{}, fmt.Errorf("--data-dir %q: %w", o.DataDir, err)
		}
		c.pki = filepath.Join(c.DataDir, pkiFolder)
	}
	if len(c.Etcd.StorageConfig.Transport.ServerList) == 0 && c.DataDir != "" {
		c.embedded = filepath.Join(c.DataDir, "etcd")
	}
	return CompletedOptions{c}, nil
}

// Validate reports everything that is wrong with the options and the files that they
// name. It changes nothing.
func (c CompletedOptions) Validate() error {
	if c.completedOptions == nil {
		return errors.New("options are not completed: call Options.Complete")
	}
	errs := c.Run.Validate()
	if c.Maintenance <= 0 {
		errs = append(errs, errors.New("the interval of maintenance must be positive"))
	}
	if c.Run.RequestTimeout <= 0 {
		errs = append(errs, errors.New("--request-timeout must be positive"))
	}
	names := map[string]bool{}
	for _, g := range c.Groups {
		if names[g.Name] {
			return fmt.Errorf("API group %q is there twice", g.Name)
		}
		names[g.Name] = true
	}
	if c.WithoutCA && c.Serving.CertFile == "" && c.Serving.CertDir == "" {
		errs = append(errs, errors.New("a server without a CA must have --tls-cert-file or --cert-dir"))
	}
	errs = append(errs, c.Serving.Validate()...)
	errs = append(errs, c.Etcd.Validate()...)
	errs = append(errs, c.Service.Validate()...)
	errs = append(errs, c.Authentication.Validate()...)
	errs = append(errs, c.Authorization.Validate()...)
	errs = append(errs, c.Audit.Validate()...)
	errs = append(errs, c.Kubelet.Validate()...)
	errs = append(errs, c.Admission.Validate()...)
	errs = append(errs, c.FlowControl.Validate(c.Run)...)
	errs = append(errs, c.Controllers.Validate()...)
	errs = append(errs, c.Aggregation.Validate()...)
	errs = append(errs, c.Tenancy.Validate()...)
	errs = append(errs, c.validateHost()...)
	registries := []genericoptions.GroupRegistry{c.types.scheme}
	for _, scheme := range c.extensionSchemes() {
		registries = append(registries, scheme)
	}
	errs = append(errs, c.APIs.Validate(registries...)...)
	return utilerrors.NewAggregate(errs)
}
