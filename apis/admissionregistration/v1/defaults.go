// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SetDefaults_ValidatingWebhook makes a webhook that fails closed and sees all objects.
func SetDefaults_ValidatingWebhook(obj *admissionregistrationv1.ValidatingWebhook) {
	set(&obj.FailurePolicy, admissionregistrationv1.Fail)
	set(&obj.MatchPolicy, admissionregistrationv1.Equivalent)
	set(&obj.NamespaceSelector, metav1.LabelSelector{})
	set(&obj.ObjectSelector, metav1.LabelSelector{})
	set(&obj.TimeoutSeconds, 10)
}

// SetDefaults_MutatingWebhook makes a webhook that fails closed, sees all objects
// and is called once.
func SetDefaults_MutatingWebhook(obj *admissionregistrationv1.MutatingWebhook) {
	set(&obj.FailurePolicy, admissionregistrationv1.Fail)
	set(&obj.MatchPolicy, admissionregistrationv1.Equivalent)
	set(&obj.NamespaceSelector, metav1.LabelSelector{})
	set(&obj.ObjectSelector, metav1.LabelSelector{})
	set(&obj.TimeoutSeconds, 10)
	set(&obj.ReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy)
}

// SetDefaults_Rule makes a rule match in any scope.
func SetDefaults_Rule(obj *admissionregistrationv1.Rule) {
	set(&obj.Scope, admissionregistrationv1.AllScopes)
}

// SetDefaults_ServiceReference fills the port of HTTPS.
func SetDefaults_ServiceReference(obj *admissionregistrationv1.ServiceReference) {
	set(&obj.Port, 443)
}

// SetDefaults_ValidatingAdmissionPolicySpec makes a policy fail closed.
func SetDefaults_ValidatingAdmissionPolicySpec(obj *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
	set(&obj.FailurePolicy, admissionregistrationv1.Fail)
}

// SetDefaults_MutatingAdmissionPolicySpec makes a policy fail closed.
func SetDefaults_MutatingAdmissionPolicySpec(obj *admissionregistrationv1.MutatingAdmissionPolicySpec) {
	set(&obj.FailurePolicy, admissionregistrationv1.Fail)
}

// SetDefaults_MatchResources makes a policy match all objects.
func SetDefaults_MatchResources(obj *admissionregistrationv1.MatchResources) {
	set(&obj.MatchPolicy, admissionregistrationv1.Equivalent)
	set(&obj.NamespaceSelector, metav1.LabelSelector{})
	set(&obj.ObjectSelector, metav1.LabelSelector{})
}

func set[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
