// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	admissionmetrics "k8s.io/apiserver/pkg/admission/metrics"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	webhookinit "k8s.io/apiserver/pkg/admission/plugin/webhook/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	alwaysanswer "github.com/stoa-project/stoa/admission/always"
	"github.com/stoa-project/stoa/admission/antiaffinity"
	"github.com/stoa-project/stoa/admission/autoprovision"
	"github.com/stoa-project/stoa/admission/certificates/approval"
	"github.com/stoa-project/stoa/admission/certificates/attest"
	"github.com/stoa-project/stoa/admission/certificates/signing"
	"github.com/stoa-project/stoa/admission/certificates/subject"
	"github.com/stoa-project/stoa/admission/declaredfeatures"
	"github.com/stoa-project/stoa/admission/eventlimit"
	"github.com/stoa-project/stoa/admission/execdenial"
	"github.com/stoa-project/stoa/admission/extendedresource"
	"github.com/stoa-project/stoa/admission/externalips"
	"github.com/stoa-project/stoa/admission/imagepolicy"
	"github.com/stoa-project/stoa/admission/ingressclass"
	"github.com/stoa-project/stoa/admission/inuse"
	"github.com/stoa-project/stoa/admission/limitranger"
	"github.com/stoa-project/stoa/admission/namespacecreator"
	"github.com/stoa-project/stoa/admission/namespaceexists"
	"github.com/stoa-project/stoa/admission/noderestriction"
	"github.com/stoa-project/stoa/admission/nodeselector"
	"github.com/stoa-project/stoa/admission/nodetaint"
	"github.com/stoa-project/stoa/admission/ownerpermission"
	"github.com/stoa-project/stoa/admission/podgroups"
	"github.com/stoa-project/stoa/admission/podresize"
	"github.com/stoa-project/stoa/admission/podsecurity"
	"github.com/stoa-project/stoa/admission/podsecuritypolicy"
	podpriority "github.com/stoa-project/stoa/admission/priority"
	"github.com/stoa-project/stoa/admission/pullimages"
	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/admission/resourcequota"
	"github.com/stoa-project/stoa/admission/runtimeclass"
	"github.com/stoa-project/stoa/admission/serviceaccount"
	"github.com/stoa-project/stoa/admission/storageclass"
	tenancyrules "github.com/stoa-project/stoa/admission/tenancy"
	"github.com/stoa-project/stoa/admission/tolerationrestriction"
	"github.com/stoa-project/stoa/admission/tolerations"
	"github.com/stoa-project/stoa/admission/topologylabels"
	"github.com/stoa-project/stoa/admission/volumeresize"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/policy"
)

// AdmissionOptions say which plugins see a write before it is stored.
type AdmissionOptions struct {
	*genericoptions.AdmissionOptions
	// Tolerations is how long a pod stays on a node that is gone.
	Tolerations *tolerations.Seconds
	// charges are the requests that quotas are charged for.
	charges *quota.Charges
}

// plugin is a row of the table of admission plugins.
type plugin struct {
	name     string
	register func(*admission.Plugins)
	// off is whether it must be asked for.
	off bool
	// needs are resources that the plugin reads: it is off where one is not served,
	// because it would wait for it without end.
	needs []schema.GroupVersionResource
	// behind is whether it is on in aggregated mode, with the objects of the host.
	behind bool
	// extend adds to the group of what the plugin needs first the kinds that are only
	// served for the plugin.
	extend func(kind.Group) kind.Group
}

// plugins are the admission plugins, in the order in which they see a write.
func (o *AdmissionOptions) plugins() []plugin {
	v1 := func(group, resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}
	}
	need := func(resources ...schema.GroupVersionResource) []schema.GroupVersionResource { return resources }
	registered := func(kinds ...string) []schema.GroupVersionResource {
		needs := need(namespaces)
		for _, kind := range kinds {
			needs = append(needs, v1("admissionregistration.k8s.io", kind))
		}
		return needs
	}
	pods, classes := v1("", "pods"), v1("storage.k8s.io", "storageclasses")
	return []plugin{
		{name: alwaysanswer.AdmitName, register: alwaysanswer.RegisterAdmit, off: true},
		{name: autoprovision.PluginName, register: autoprovision.Register, off: true, needs: need(namespaces)},
		{name: lifecycle.PluginName, register: lifecycle.Register, needs: need(namespaces), behind: true},
		{name: namespaceexists.PluginName, register: namespaceexists.Register, off: true, needs: need(namespaces)},
		{name: antiaffinity.PluginName, register: antiaffinity.Register, off: true},
		{name: limitranger.PluginName, register: limitranger.Register, needs: need(v1("", "limitranges"))},
		{name: serviceaccount.PluginName, register: serviceaccount.Register, needs: need(v1("", "serviceaccounts"))},
		{name: noderestriction.PluginName, register: noderestriction.Register},
		{name: nodetaint.PluginName, register: nodetaint.Register},
		{name: pullimages.PluginName, register: pullimages.Register, off: true},
		{name: imagepolicy.PluginName, register: imagepolicy.Register, off: true},
		{name: podsecurity.PluginName, register: podsecurity.Register, needs: need(namespaces, pods)},
		{
			name: podsecuritypolicy.PluginName, register: podsecuritypolicy.Register, off: true,
			needs: need(podsecuritypolicy.Policies), extend: policy.WithSecurityPolicies,
		},
		{name: nodeselector.PluginName, register: nodeselector.Register, off: true, needs: need(namespaces)},
		{name: podpriority.PluginName, register: podpriority.Register, needs: need(v1("scheduling.k8s.io", "priorityclasses"))},
		{name: tolerations.PluginName, register: func(p *admission.Plugins) { tolerations.Register(p, o.Tolerations) }},
		{name: tolerationrestriction.PluginName, register: tolerationrestriction.Register, off: true, needs: need(namespaces)},
		{name: execdenial.PluginName, register: execdenial.Register, off: true},
		{name: eventlimit.PluginName, register: eventlimit.Register, off: true},
		{name: extendedresource.PluginName, register: extendedresource.Register, off: true},
		{name: storageclass.PluginName, register: storageclass.Register, needs: need(classes)},
		{name: inuse.PluginName, register: inuse.Register},
		{name: podgroups.ProtectionName, register: podgroups.Register(podgroups.ProtectionName)},
		{name: ownerpermission.PluginName, register: ownerpermission.Register, off: true},
		{name: volumeresize.PluginName, register: volumeresize.Register, needs: need(classes)},
		{name: runtimeclass.PluginName, register: runtimeclass.Register, needs: need(v1("node.k8s.io", "runtimeclasses"))},
		{name: approval.PluginName, register: approval.Register},
		{name: signing.PluginName, register: signing.Register},
		{name: attest.PluginName, register: attest.Register},
		{name: subject.PluginName, register: subject.Register},
		{name: ingressclass.PluginName, register: ingressclass.Register, needs: need(v1("networking.k8s.io", "ingressclasses"))},
		{name: externalips.PluginName, register: externalips.Register, off: true},
		{name: topologylabels.PluginName, register: topologylabels.Register, needs: need(pods, v1("", "nodes"))},
		{name: podgroups.WorkloadName, register: podgroups.Register(podgroups.WorkloadName)},
		{name: declaredfeatures.PluginName, register: declaredfeatures.Register, needs: need(pods, v1("", "nodes"))},
		{name: podgroups.JobName, register: podgroups.Register(podgroups.JobName)},
		{name: podresize.PluginName, register: podresize.Register, needs: need(pods, v1("", "nodes"))},
		{name: namespacecreator.PluginName, register: namespacecreator.Register},
		{
			name: tenancyrules.PluginName, register: func(p *admission.Plugins) { tenancyrules.Register(p, o.charges) },
			needs: need(namespaces, tenants), behind: true,
		},
		{
			name: mutatingpolicy.PluginName, register: mutatingpolicy.Register,
			needs: registered("mutatingadmissionpolicies", "mutatingadmissionpolicybindings"),
		},
		{name: mutating.PluginName, register: mutating.Register, needs: registered("mutatingwebhookconfigurations")},
		{
			name: validatingpolicy.PluginName, register: validatingpolicy.Register,
			needs: registered("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
		},
		{name: validating.PluginName, register: validating.Register, needs: registered("validatingwebhookconfigurations")},
		{
			name: resourcequota.PluginName, register: func(p *admission.Plugins) { resourcequota.Register(p, o.charges) },
			needs: need(v1("", "resourcequotas")), behind: true,
		},
		{name: alwaysanswer.DenyName, register: alwaysanswer.RegisterDeny, off: true},
	}
}

// newAdmissionOptions returns upstream's flags for the plugins that there are.
func newAdmissionOptions() *AdmissionOptions {
	o := &AdmissionOptions{
		AdmissionOptions: &genericoptions.AdmissionOptions{
			Plugins:           admission.NewPlugins(),
			Decorators:        admission.Decorators{admission.DecoratorFunc(admissionmetrics.WithControllerMetrics)},
			DefaultOffPlugins: sets.Set[string]{},
		},
		Tolerations: tolerations.DefaultSeconds(),
		charges:     &quota.Charges{},
	}
	for _, p := range o.plugins() {
		p.register(o.Plugins)
		o.RecommendedPluginOrder = append(o.RecommendedPluginOrder, p.name)
		if p.off {
			o.DefaultOffPlugins.Insert(p.name)
		}
	}
	return o
}

// extend adds to the groups the kinds of plugins that are asked for.
func (o *AdmissionOptions) extend(groups []kind.Group) []kind.Group {
	out := slices.Clone(groups)
	for _, p := range o.plugins() {
		if p.extend == nil || !slices.Contains(o.EnablePlugins, p.name) {
			continue
		}
		if i := slices.IndexFunc(out, func(g kind.Group) bool { return g.Name == p.needs[0].Group }); i >= 0 {
			out[i] = p.extend(out[i])
		}
	}
	return out
}

// AddFlags adds kube-apiserver's flags.
func (o *AdmissionOptions) AddFlags(flags *pflag.FlagSet) {
	o.AdmissionOptions.AddFlags(flags)
	flags.Int64Var(&o.Tolerations.NotReady, "default-not-ready-toleration-seconds", o.Tolerations.NotReady,
		"Indicates the tolerationSeconds of the toleration for notReady:NoExecute that is added by default to every pod that does not already have such a toleration.")
	flags.Int64Var(&o.Tolerations.Unreachable, "default-unreachable-toleration-seconds", o.Tolerations.Unreachable,
		"Indicates the tolerationSeconds of the toleration for unreachable:NoExecute that is added by default to every pod that does not already have such a toleration.")
}

// runs says whether a plugin sees writes.
func (o *AdmissionOptions) runs(name string) bool {
	return slices.Contains(o.Plugins.Registered(), name) && !slices.Contains(o.DisablePlugins, name) &&
		(!o.DefaultOffPlugins.Has(name) || slices.Contains(o.EnablePlugins, name))
}

// admit adds the admission chain. Plugins use the connection of access, but for the
// webhooks that they call, and end with closed.
func (c CompletedOptions) admit(config *genericapiserver.Config, access *rest.Config, client kubernetes.Interface, factory informers.SharedInformerFactory, tenancy *tenancyClient, resolver webhook.ServiceResolver, closed closed) error {
	dynamicClient, err := dynamic.NewForConfig(access)
	if err != nil {
		return fmt.Errorf("client of admission plugins: %w", err)
	}
	chain := *c.Admission.AdmissionOptions
	chain.DisablePlugins = slices.Clone(chain.DisablePlugins)
	for _, p := range c.Admission.plugins() {
		if !c.available(config, p.needs) || c.Host.Aggregated && !p.behind {
			chain.DisablePlugins = append(chain.DisablePlugins, p.name)
		}
	}
	if err := checkConfig(&chain); err != nil {
		return err
	}
	initializers := []admission.PluginInitializer{
		webhookinit.NewPluginInitializer(webhookAuth(config), resolver), newDynamicAdmission(),
		tenancyrules.Initializer{Client: tenancy.client, Informers: tenancy.informers}, closed,
	}
	if c.available(config, []schema.GroupVersionResource{namespaces, tenants}) {
		hosted := time.Duration(0)
		if c.Host.Aggregated {
			hosted = c.Run.RequestTimeout
		}
		initializers = append(initializers, resourcequota.Tenants{Client: tenancy.client, Informers: tenancy.informers, Core: client, Namespaces: factory, Hosted: hosted})
	}
	err = chain.ApplyTo(config, factory, client, dynamicClient, config.FeatureGate, config.EffectiveVersion, initializers...)
	switch {
	case err == nil:
		return nil
	case chain.ConfigFile == "":
		return fmt.Errorf("admission: %w", err)
	}
	return fmt.Errorf("admission, with --admission-control-config-file=%s: %w", chain.ConfigFile, err)
}

// checkConfig reads the files that --admission-control-config-file names for plugins that
// are on. The library, which reads them again, would end the process if one were missing.
func checkConfig(chain *genericoptions.AdmissionOptions) error {
	var config apiserverv1.AdmissionConfiguration
	text, err := os.ReadFile(chain.ConfigFile)
	if chain.ConfigFile == "" || err != nil || yaml.Unmarshal(text, &config) != nil {
		return nil // the library says so itself
	}
	for _, p := range config.Plugins {
		off := chain.DefaultOffPlugins.Has(p.Name) || slices.Contains(chain.DisablePlugins, p.Name)
		if p.Path == "" || p.Configuration != nil || off && !slices.Contains(chain.EnablePlugins, p.Name) {
			continue
		}
		path := p.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(chain.ConfigFile), path)
		}
		if _, err := os.ReadFile(path); err != nil {
			return fmt.Errorf("--admission-control-config-file=%s: configuration of %s: %w", chain.ConfigFile, p.Name, err)
		}
	}
	return nil
}
