// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_NetworkPolicy makes a policy that does not say which traffic it is
// about one about incoming traffic, and about outgoing if it has rules for it.
func SetDefaults_NetworkPolicy(obj *networkingv1.NetworkPolicy) {
	if len(obj.Spec.PolicyTypes) > 0 {
		return
	}
	obj.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(obj.Spec.Egress) > 0 {
		obj.Spec.PolicyTypes = append(obj.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	}
}

// SetDefaults_NetworkPolicyPort makes a port one of TCP.
func SetDefaults_NetworkPolicyPort(obj *networkingv1.NetworkPolicyPort) {
	defaults.Pointer(&obj.Protocol, corev1.ProtocolTCP)
}

// SetDefaults_IngressClass looks for parameters in no namespace.
func SetDefaults_IngressClass(obj *networkingv1.IngressClass) {
	if p := obj.Spec.Parameters; p != nil && p.Scope == nil {
		scope := networkingv1.IngressClassParametersReferenceScopeCluster
		p.Scope = &scope
	}
}
