// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policystatus_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

func policy(name, group, resource, expression string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	return &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: expression}},
		},
	}
}

// The status says what is wrong with expressions, and follows when they change.
func TestController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	client := kubernetes.NewForConfigOrDie(stoatest.Start(t).Config())
	policies := client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	const mistake = "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n" +
		" | object.spec.replicas > '0'\n | .....................^\n"
	checked := func(name string, generation int64, want ...admissionregistrationv1.ExpressionWarning) {
		t.Helper()
		var got *admissionregistrationv1.ValidatingAdmissionPolicy
		err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (done bool, err error) {
			got, err = policies.Get(ctx, name, metav1.GetOptions{})
			return err == nil && got.Status.ObservedGeneration == generation, err
		})
		if err != nil {
			t.Fatalf("%s: %v: %+v", name, err, got)
		}
		var found []admissionregistrationv1.ExpressionWarning
		if got.Status.TypeChecking != nil {
			found = got.Status.TypeChecking.ExpressionWarnings
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", name, diff)
		}
	}
	for _, p := range []*admissionregistrationv1.ValidatingAdmissionPolicy{
		policy("right", "apps", "deployments", "object.spec.replicas > 0"),
		policy("wrong", "apps", "deployments", "object.spec.replicas > '0'"),
		policy("unknown", "example.com", "things", "object.spec.replicas > '0'"),
	} {
		if _, err := policies.Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	checked("right", 1)
	checked("unknown", 1)
	checked("wrong", 1, admissionregistrationv1.ExpressionWarning{FieldRef: "spec.validations[0].expression", Warning: mistake})
	patch := []byte(`[{"op": "replace", "path": "/spec/validations/0/expression", "value": "object.spec.replicas > 1"}]`)
	if _, err := policies.Patch(t.Context(), "wrong", types.JSONPatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	checked("wrong", 2)
}
