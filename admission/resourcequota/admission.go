// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package resourcequota is the admission plugin ResourceQuota: what is written is charged
// to the quotas of its namespace, and refused if one of them would be exceeded. Library
// code does that; this package keeps it from running where there is no quota, and makes
// the requests known that are charged.
package resourcequota

import (
	"context"
	"errors"
	"io"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota/apis/resourcequota/validation"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/apis/core"
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
	charger *resourcequota.QuotaAdmission
	charges *quota.Charges
	// turns has an element for each request that the charger has.
	turns chan struct{}
	// demands says that the configuration demands quotas.
	demands bool

	client  kubernetes.Interface
	drained <-chan struct{}
	quotas  corelisters.ResourceQuotaLister
	synced  func() bool

	// start makes the charger ready, when the first quota is there.
	start      sync.Once
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
		charger, err := resourcequota.NewResourceQuota(configuration, workers)
		if err != nil {
			return nil, err
		}
		return &plugin{
			Handler: admission.NewHandler(admission.Create, admission.Update),
			charger: charger, charges: charges, turns: make(chan struct{}, crowd), demands: len(configuration.LimitedResources) > 0,
		}, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) {
	p.client = client
	p.charger.SetExternalKubeClientSet(client)
}

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := factory.Core().V1().ResourceQuotas()
	p.quotas, p.synced = informer.Lister(), informer.Informer().HasSynced
	p.charger.SetExternalKubeInformerFactory(factory)
}

// SetDrainedNotification implements WantsDrainedNotification.
func (p *plugin) SetDrainedNotification(drained <-chan struct{}) {
	p.drained = drained
	p.charger.SetDrainedNotification(drained)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.client == nil || p.quotas == nil || p.drained == nil {
		return errors.New("missing client, lister of quotas or signal that requests are drained")
	}
	return nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	if a.GetNamespace() == "" || a.GetResource().GroupResource() == core.Resource("namespaces") {
		return nil
	}
	if !p.demands && p.synced() {
		quotas, err := p.quotas.ResourceQuotas(a.GetNamespace()).List(labels.Everything())
		if err == nil && len(quotas) == 0 {
			return nil
		}
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
	if !a.IsDryRun() {
		p.charges.Add(ctx, a.GetNamespace())
	}
	return p.charger.Validate(ctx, a, o)
}

func (p *plugin) prepare() {
	list := quota.Evaluators(&quota.Devices{Client: p.client, Done: p.drained}, nil)
	p.evaluators, p.ignored = map[schema.GroupResource]apiquota.Evaluator{}, quota.Ignored()
	for _, e := range list {
		p.evaluators[e.GroupResource()] = e
	}
	p.charger.SetQuotaConfiguration(generic.NewConfiguration(list, p.ignored))
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
