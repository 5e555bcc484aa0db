// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package limitranger is the admission plugin LimitRanger: the limit ranges of a
// namespace give containers requests and limits that they do not name, and bound
// those of containers, pods and claims.
package limitranger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/utils/lru"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "LimitRanger"

const (
	// remembered is of how many namespaces without limit ranges the plugin knows that
	// there are none, and holds how long it believes it.
	remembered = 10000
	holds      = 30 * time.Second
)

type plugin struct {
	*admission.Handler
	client kubernetes.Interface
	ranges corelisters.LimitRangeLister
	// looked has what was found in namespaces of which the informer has nothing.
	looked *lru.Cache
}

// found are the limit ranges of a namespace, as they were at the API.
type found struct {
	until time.Time
	items []*corev1.LimitRange
}

var (
	_ admission.MutationInterface                                  = (*plugin)(nil)
	_ admission.ValidationInterface                                = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet       = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create, admission.Update), looked: lru.New(remembered)}, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) { p.client = client }

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := factory.Core().V1().LimitRanges()
	p.ranges = informer.Lister()
	p.SetReadyFunc(informer.Informer().HasSynced)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.ranges == nil {
		return errors.New("missing limitRange lister")
	}
	if p.client == nil {
		return errors.New("missing client")
	}
	return nil
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	return p.each(ctx, a, func(limits *corev1.LimitRange) error {
		if pod, ok := a.GetObject().(*core.Pod); ok {
			setDefaults(limits, (*corev1.Pod)(pod))
		}
		return nil
	})
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	return p.each(ctx, a, func(limits *corev1.LimitRange) error {
		switch obj := a.GetObject().(type) {
		case *core.Pod:
			return checkPod(limits, (*corev1.Pod)(obj))
		case *core.PersistentVolumeClaim:
			return checkClaim(limits, (*corev1.PersistentVolumeClaim)(obj))
		}
		return nil
	})
}

// concerns says whether a request may change what an object asks for.
func concerns(a admission.Attributes) bool {
	switch a.GetResource().GroupResource() {
	case core.Resource("pods"):
		if a.GetOperation() == admission.Update { // of a pod, requests and limits change nowhere else
			return a.GetSubresource() == "resize"
		}
		return a.GetSubresource() == ""
	case core.Resource("persistentvolumeclaims"):
		return a.GetSubresource() == ""
	}
	return false
}

// each calls do with the limit ranges of the namespace, until there is an error.
func (p *plugin) each(ctx context.Context, a admission.Attributes, do func(*corev1.LimitRange) error) error {
	if !concerns(a) {
		return nil
	}
	if old := a.GetOldObject(); old != nil {
		accessor, err := meta.Accessor(old)
		if err != nil {
			return admission.NewForbidden(a, err)
		}
		if accessor.GetDeletionTimestamp() != nil {
			return nil
		}
	}
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	items, err := p.find(ctx, a)
	if err != nil {
		return err
	}
	for _, limits := range items {
		if err := do(limits); err != nil {
			return admission.NewForbidden(a, err)
		}
	}
	return nil
}

// find returns the limit ranges of the namespace. If the informer has none, it may be
// behind: the API is asked, once in a while.
func (p *plugin) find(ctx context.Context, a admission.Attributes) ([]*corev1.LimitRange, error) {
	namespace := a.GetNamespace()
	items, err := p.ranges.LimitRanges(namespace).List(labels.Everything())
	if err != nil {
		return nil, admission.NewForbidden(a, fmt.Errorf("unable to %s %v at this time because there was an error enforcing limit ranges", a.GetOperation(), a.GetResource()))
	}
	if len(items) > 0 {
		return items, nil
	}
	if known, ok := p.looked.Get(namespace); ok {
		if before, ok := known.(found); ok && time.Now().Before(before.until) {
			return before.items, nil
		}
	}
	list, err := p.client.CoreV1().LimitRanges(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, admission.NewForbidden(a, err)
	}
	now := found{until: time.Now().Add(holds)}
	for i := range list.Items {
		now.items = append(now.items, &list.Items[i])
	}
	p.looked.Add(namespace, now)
	return now.items, nil
}
