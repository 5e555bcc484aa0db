// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_ValidatingWebhook makes a webhook that fails closed and sees all objects.
func SetDefaults_ValidatingWebhook(obj *admissionregistrationv1.ValidatingWebhook) {
	defaults.Pointer(&obj.FailurePolicy, admissionregistrationv1.Fail)
	defaults.Pointer(&obj.MatchPolicy, admissionregistrationv1.Equivalent)
	defaults.Pointer(&obj.NamespaceSelector, metav1.LabelSelector{})
	defaults.Pointer(&obj.ObjectSelector, metav1.LabelSelector{})
	defaults.Pointer(&obj.TimeoutSeconds, 10)
}

// SetDefaults_MutatingWebhook makes a webhook that fails closed, sees all objects
// and is called once.
func SetDefaults_MutatingWebhook(obj *admissionregistrationv1.MutatingWebhook) {
	defaults.Pointer(&obj.FailurePolicy, admissionregistrationv1.Fail)
	defaults.Pointer(&obj.MatchPolicy, admissionregistrationv1.Equivalent)
	defaults.Pointer(&obj.NamespaceSelector, metav1.LabelSelector{})
	defaults.Pointer(&obj.ObjectSelector, metav1.LabelSelector{})
	defaults.Pointer(&obj.TimeoutSeconds, 10)
	defaults.Pointer(&obj.ReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy)
}

// SetDefaults_Rule makes a rule match in any scope.
func SetDefaults_Rule(obj *admissionregistrationv1.Rule) {
	defaults.Pointer(&obj.Scope, admissionregistrationv1.AllScopes)
}

// SetDefaults_ServiceReference fills the port of HTTPS.
func SetDefaults_ServiceReference(obj *admissionregistrationv1.ServiceReference) {
	defaults.Pointer(&obj.Port, 443)
}

// SetDefaults_ValidatingAdmissionPolicySpec makes a policy fail closed.
func SetDefaults_ValidatingAdmissionPolicySpec(obj *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
	defaults.Pointer(&obj.FailurePolicy, admissionregistrationv1.Fail)
}

// SetDefaults_MutatingAdmissionPolicySpec makes a policy fail closed.
func SetDefaults_MutatingAdmissionPolicySpec(obj *admissionregistrationv1.MutatingAdmissionPolicySpec) {
	defaults.Pointer(&obj.FailurePolicy, admissionregistrationv1.Fail)
}

// SetDefaults_MatchResources makes a policy match all objects.
func SetDefaults_MatchResources(obj *admissionregistrationv1.MatchResources) {
	defaults.Pointer(&obj.MatchPolicy, admissionregistrationv1.Equivalent)
	defaults.Pointer(&obj.NamespaceSelector, metav1.LabelSelector{})
	defaults.Pointer(&obj.ObjectSelector, metav1.LabelSelector{})
}
