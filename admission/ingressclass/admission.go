// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package ingressclass is the admission plugin DefaultIngressClass: an ingress that
// says nothing of its class gets the default one.
package ingressclass

import (
	"context"
	"errors"
	"fmt"
	"io"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	networkinglisters "k8s.io/client-go/listers/networking/v1"

	"github.com/stoa-project/stoa/apis/networking"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "DefaultIngressClass"

// classAnnotation is how an ingress named its class before there was a field.
const classAnnotation = "kubernetes.io/ingress.class"

type plugin struct {
	*admission.Handler
	classes networkinglisters.IngressClassLister
}

var (
	_ admission.MutationInterface                                  = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create)}, nil
	})
}

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := factory.Networking().V1().IngressClasses()
	p.classes = informer.Lister()
	p.SetReadyFunc(informer.Informer().HasSynced)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.classes == nil {
		return errors.New("missing lister")
	}
	return nil
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != networking.Resource("ingresses") || a.GetSubresource() != "" {
		return nil
	}
	ingress, ok := a.GetObject().(*networking.Ingress)
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("Expected Ingress resource, got: %v", a.GetKind())) //nolint:staticcheck // as in Kubernetes
	}
	if _, annotated := ingress.Annotations[classAnnotation]; annotated || ingress.Spec.IngressClassName != nil {
		return nil
	}
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	all, err := p.classes.List(labels.Everything())
	if err != nil {
		return admission.NewForbidden(a, err)
	}
	if class := newestDefault(all); class != nil {
		ingress.Spec.IngressClassName = &class.Name
	}
	return nil
}

// newestDefault returns the newest of the default classes; nil if there is none.
func newestDefault(all []*networkingv1.IngressClass) *networkingv1.IngressClass {
	var out *networkingv1.IngressClass
	for _, class := range all {
		if class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] != "true" {
			continue
		}
		if out == nil || out.CreationTimestamp.Before(&class.CreationTimestamp) ||
			out.CreationTimestamp.Equal(&class.CreationTimestamp) && class.Name < out.Name {
			out = class
		}
	}
	return out
}
