// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PodSecurityPolicy is the hub of policyv1beta1.PodSecurityPolicy. It is not among the
// types that AddToScheme registers.
type PodSecurityPolicy policyv1beta1.PodSecurityPolicy

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PodSecurityPolicyList is the hub of policyv1beta1.PodSecurityPolicyList.
type PodSecurityPolicyList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []PodSecurityPolicy
}
