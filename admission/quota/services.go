// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"

	"github.com/stoa-project/stoa/apis/core"
)

// services counts services, their node ports and load balancers.
func services(list generic.ListFuncByNamespace) quota.Evaluator {
	return &evaluator{
		resource: core.Resource("services"), list: list,
		handles: func(a admission.Attributes) bool { // an update can change the type
			return a.GetSubresource() == "" && (a.GetOperation() == admission.Create || a.GetOperation() == admission.Update)
		},
		limits: func(name corev1.ResourceName) bool {
			switch name {
			case counted("", "services"), corev1.ResourceServices, corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers:
				return true
			}
			return false
		},
		usage: func(obj runtime.Object) (corev1.ResourceList, error) {
			switch service := obj.(type) {
			case *corev1.Service:
				return serviceUsage(service), nil
			case *core.Service:
				return serviceUsage((*corev1.Service)(service)), nil
			}
			return nil, fmt.Errorf("expect *api.Service or *v1.Service, got %T", obj)
		},
	}
}

func serviceUsage(service *corev1.Service) corev1.ResourceList {
	ports, balancers := 0, 0
	switch service.Spec.Type {
	case corev1.ServiceTypeNodePort:
		ports = len(service.Spec.Ports)
	case corev1.ServiceTypeLoadBalancer:
		// What it will have: ports are allocated later.
		ports, balancers = len(service.Spec.Ports), 1
		if allocate := service.Spec.AllocateLoadBalancerNodePorts; allocate != nil && !*allocate {
			ports = 0
			for i := range service.Spec.Ports {
				if service.Spec.Ports[i].NodePort != 0 {
					ports++
				}
			}
		}
	}
	return corev1.ResourceList{
		counted("", "services"):              number(1),
		corev1.ResourceServices:              number(1),
		corev1.ResourceServicesNodePorts:     number(ports),
		corev1.ResourceServicesLoadBalancers: number(balancers),
	}
}
