// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestAdmissionPolicies has one policy in CEL label config maps, and another one refuse
// some of them by a parameter.
func TestAdmissionPolicies(t *testing.T) {
	t.Parallel()
	client, err := kubernetes.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	namespace := newNamespace(t)
	addPolicies(t, client, namespace)
	maps := client.CoreV1().ConfigMaps(namespace)
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	named := func(name string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	eventually(t, func() string { // a server hears of policies by a watch, and looks at them once a second
		got, err := maps.Create(t.Context(), named("probe"), dry)
		if err != nil || got.Labels["seen"] == "" {
			return "no policy labels config maps: " + text(err)
		}
		if _, err := maps.Create(t.Context(), named("forbidden"), dry); err == nil {
			return "no policy refuses config maps"
		}
		return ""
	})
	made, err := maps.Create(t.Context(), named("a"), metav1.CreateOptions{})
	if err != nil || made.Labels["seen"] != "CREATE" {
		t.Errorf("create: %v, %v", made, err)
	}
	_, err = maps.Create(t.Context(), named("forbidden"), metav1.CreateOptions{})
	name := "policy-" + namespace
	want := `configmaps "forbidden" is forbidden: ValidatingAdmissionPolicy '` + name + `' with binding '` + name + `' denied request: not forbidden`
	if text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
}

// addPolicies makes both policies for the config maps of a namespace. The parameter is
// a config map of the same namespace.
func addPolicies(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	parameter := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "parameter"}, Data: map[string]string{"name": "forbidden"}}
	if _, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), parameter, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	meta, deny := metav1.ObjectMeta{Name: "policy-" + namespace}, admissionregistrationv1.DenyAction
	own := &admissionregistrationv1.MatchResources{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
		ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
		}}},
	}
	policies := client.AdmissionregistrationV1()
	_, err := policies.ValidatingAdmissionPolicies().Create(t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			ParamKind: &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"}, MatchConstraints: own,
			Validations: []admissionregistrationv1.Validation{{
				Expression: "object.metadata.name != params.data.name", MessageExpression: "'not ' + params.data.name",
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: meta.Name, ParamRef: &admissionregistrationv1.ParamRef{Name: parameter.Name, Namespace: namespace, ParameterNotFoundAction: &deny},
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.MutatingAdmissionPolicies().Create(t.Context(), &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: own, ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionregistrationv1.ApplyConfiguration{
					Expression: `Object{metadata: Object.metadata{labels: {"seen": request.operation}}}`,
				},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.MutatingAdmissionPolicyBindings().Create(t.Context(), &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: meta, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: meta.Name},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
