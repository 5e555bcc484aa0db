// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package resourcequota is the admission plugin ResourceQuota: what is written is charged
// to the quotas of its namespace and to that of the tenant to which the namespace belongs,
// and refused if one of them would be exceeded. Library code judges a request by all of
// them; this package says which they are and writes what is charged. It keeps the library
// from running where there is no quota, and makes the requests known that are charged.
package resourcequota

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	resourcequotaapi "k8s.io/apiserver/pkg/admission/plugin/resourcequota/apis/resourcequota"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota/apis/resourcequota/validation"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/lru"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/tenancy"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = resourcequota.PluginName

const (
	// workers is how many namespaces are charged at a time, as in Kubernetes.
	workers = 5
	// crowd is how many requests the charger has at a time. It gives up those that it has
	// had for ten seconds, and may have charged them by then; so on a busy machine many
	// at once would be charged for nothing.
	crowd = 50
)

type plugin struct {
	*admission.Handler
	config  *resourcequotaapi.Configuration
	charges *quota.Charges
	quotas  accessor
	synced  []func() bool
	// factory has the quotas of namespaces, unless a host charges them, which has so much
	// time to store what is charged here.
	factory informers.SharedInformerFactory
	hosted  time.Duration
	// turns has an element for each request that the charger has.
	turns chan struct{}

	// start makes the charger, when the first quota is there.
	start      sync.Once
	charger    resourcequota.Evaluator
	evaluators map[schema.GroupResource]apiquota.Evaluator
	ignored    map[schema.GroupResource]struct{}
}

var (
	_ admission.ValidationInterface                                = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet       = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
	_ genericadmissioninitializer.WantsDrainedNotification         = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled. Requests that it charges are
// made known in charges.
func Register(plugins *admission.Plugins, charges *quota.Charges) {
	plugins.Register(PluginName, func(config io.Reader) (admission.Interface, error) {
		configuration, err := resourcequota.LoadConfiguration(config)
		if err != nil {
			return nil, err
		}
		if errs := validation.ValidateConfiguration(configuration); len(errs) > 0 {
			return nil, errs.ToAggregate()
		}
		p := &plugin{
			Handler: admission.NewHandler(admission.Create, admission.Update),
			config:  configuration, charges: charges, turns: make(chan struct{}, crowd), quotas: accessor{written: lru.New(remembered)},
		}
		p.SetReadyFunc(func() bool {
			return !slices.ContainsFunc(p.synced, func(synced func() bool) bool { return !synced() })
		})
		return p, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) {
	p.quotas.client = client
}

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	p.factory = factory
}

// SetDrainedNotification implements WantsDrainedNotification.
func (p *plugin) SetDrainedNotification(drained <-chan struct{}) {
	p.quotas.drained = drained
}

// ValidateInitialization implements admission.InitializationValidator. It comes last, so
// that what is not needed is not watched.
func (p *plugin) ValidateInitialization() error {
	if p.quotas.client == nil || p.factory == nil || p.quotas.drained == nil {
		return errors.New("missing client, lister of quotas or signal that requests are drained")
	}
	if p.hosted == 0 {
		informer := p.factory.Core().V1().ResourceQuotas()
		p.quotas.quotas = informer.Lister()
		p.synced = append(p.synced, informer.Informer().HasSynced)
	}
	return nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetNamespace() == "" || a.GetResource().GroupResource() == core.Resource("namespaces") {
		return nil
	}
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	limited, err := p.limited(ctx, a.GetNamespace())
	if err != nil {
		return err
	}
	if !limited {
		return nil
	}
	p.start.Do(p.prepare)
	if !p.counts(a) {
		return nil
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return apierrors.NewTimeoutError("the request was not charged to the resource quotas in time", 1)
	}
	refused := func() {}
	if !a.IsDryRun() {
		refused = p.announce(ctx, a)
	}
	err = p.charger.Evaluate(a)
	if apierrors.IsForbidden(err) { // after other errors it may have been charged
		refused()
	}
	return err
}

// announce makes a request known that is about to be charged, and returns what ends that
// if it was not.
func (p *plugin) announce(ctx context.Context, a admission.Attributes) (refused func()) {
	object, err := meta.Accessor(a.GetObject())
	if p.hosted == 0 || err != nil || a.GetResource().Group == tenancy.GroupName {
		p.charges.Add(ctx, a.GetNamespace())
		return func() {}
	}
	expected := quota.Expected{Namespace: a.GetNamespace(), UID: object.GetUID(), Within: p.hosted}
	if before, err := meta.Accessor(a.GetOldObject()); err == nil && a.GetOperation() == admission.Update {
		expected.Version = before.GetResourceVersion()
	}
	return p.charges.Expect(expected)
}

// limited says whether anything limits what a namespace uses.
func (p *plugin) limited(ctx context.Context, namespace string) (bool, error) {
	if len(p.config.LimitedResources) > 0 { // the configuration demands quotas
		return true, nil
	}
	quotas, err := p.quotas.ofNamespace(namespace)
	if err != nil || len(quotas) > 0 {
		return true, err
	}
	tenant, err := p.quotas.tenants.limiting(ctx, namespace)
	return tenant != nil, err
}

func (p *plugin) prepare() {
	list := quota.Evaluators(&quota.Devices{Client: p.quotas.client, Done: p.quotas.drained}, nil)
	p.evaluators, p.ignored = map[schema.GroupResource]apiquota.Evaluator{}, quota.Ignored()
	for _, e := range list {
		p.evaluators[e.GroupResource()] = e
	}
	p.charger = resourcequota.NewQuotaEvaluator(&p.quotas, p.ignored, generic.NewRegistry(list), p.quotas.lock, p.config, workers, p.quotas.drained)
}

// counts says whether a request can change what a quota counts.
func (p *plugin) counts(a admission.Attributes) bool {
	resource := a.GetResource().GroupResource()
	if _, ok := p.ignored[resource]; ok {
		return false
	}
	if e, ok := p.evaluators[resource]; ok {
		return e.Handles(a)
	}
	return a.GetOperation() == admission.Create && a.GetSubresource() == ""
}
