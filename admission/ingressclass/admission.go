// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package ingressclass is the admission plugin DefaultIngressClass: an ingress that
// says nothing of its class gets the default one.
package ingressclass

import (
	"fmt"
	"io"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/admission/defaultclass"
	"github.com/stoa-project/stoa/apis/networking"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "DefaultIngressClass"

// classAnnotation is how an ingress named its class before there was a field.
const classAnnotation = "kubernetes.io/ingress.class"

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &defaultclass.Plugin[*networkingv1.IngressClass]{
			Handler: admission.NewHandler(admission.Create),
			Informer: func(factory informers.SharedInformerFactory) cache.SharedIndexInformer {
				return factory.Networking().V1().IngressClasses().Informer()
			},
			Lacks: lacks,
			Marked: func(class *networkingv1.IngressClass) bool {
				return class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
			},
		}, nil
	})
}

// lacks returns what sets the class of a new ingress that has none.
func lacks(a admission.Attributes) (func(class string), error) {
	if a.GetResource().GroupResource() != networking.Resource("ingresses") || a.GetSubresource() != "" {
		return nil, nil
	}
	ingress, ok := a.GetObject().(*networking.Ingress)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("Expected Ingress resource, got: %v", a.GetKind())) //nolint:staticcheck // as in Kubernetes
	}
	if _, annotated := ingress.Annotations[classAnnotation]; annotated || ingress.Spec.IngressClassName != nil {
		return nil, nil
	}
	return func(class string) { ingress.Spec.IngressClassName = &class }, nil
}
