// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

// never matches no request of the other tests.
const never = "{resourceRules: [{apiGroups: [kindtest.example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]}"

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t, stoatest.WithFlags("--controllers=*,-validatingadmissionpolicy-status-controller")).Config()
	const unknown = `"Perhaps": supported values: "Fail", "Ignore"`
	webhook := func(more string) string {
		return `
webhooks:
- name: hook.example.com
  clientConfig: {url: "https://127.0.0.1:1/hook"}
  rules: [{apiGroups: [kindtest.example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]
  sideEffects: None
  admissionReviewVersions: [v1]
` + more
	}
	for _, suite := range []kindtest.Suite{{
		Resource: schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingadmissionpolicies"},
		Valid: `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
spec:
  matchConstraints: ` + never + `
  reinvocationPolicy: Never
  failurePolicy: Fail
  mutations:
  - {patchType: ApplyConfiguration, applyConfiguration: {expression: "Object{metadata: Object.metadata{labels: {'a': 'b'}}}"}}
`,
		Update:     "spec: {failurePolicy: Ignore}",
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "nothing to do", Patch: "spec: {mutations: []}",
			Errors: []string{"spec.mutations: Required value: mutations must contain at least one item"},
		}, {
			Name: "an expression that does not compile", Patch: "spec: {matchConditions: [{name: a, expression: -dash}]}",
			Errors: []string{"spec.matchConditions[0].expression: Invalid value: \"-dash\": compilation failed: ERROR: <input>:1:2: undeclared reference to 'dash' (in container '')\n | -dash\n | .^"},
		}, {
			Name: "an unknown way to fail", OnUpdate: true, Patch: "spec: {failurePolicy: Perhaps}", Errors: []string{"spec.failurePolicy: Unsupported value: " + unknown},
		}},
		Columns: []string{"Name", "Mutations", "ParamKind", "Age"},
	}, {
		Resource:   schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingadmissionpolicybindings"},
		Valid:      "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicyBinding, spec: {policyName: none.example.com, matchResources: " + never + "}}",
		Update:     "spec: {policyName: other.example.com}",
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "of no policy", Patch: "spec: {policyName: null}", Errors: []string{"spec.policyName: Required value"},
		}, {
			Name: "parameters that may be missing or not", OnUpdate: true, Patch: "spec: {paramRef: {name: a}}",
			Errors: []string{"spec.paramRef.parameterNotFoundAction: Required value"},
		}},
		Columns: []string{"Name", "PolicyName", "ParamRef", "Age"},
	}, {
		Resource:   schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		Valid:      "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\n" + webhook(""),
		Update:     webhook("  reinvocationPolicy: IfNeeded"),
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "an unknown policy", Patch: webhook("  reinvocationPolicy: Sometimes"),
			Errors: []string{`webhooks[0].reinvocationPolicy: Unsupported value: "Sometimes": supported values: "IfNeeded", "Never"`},
		}, {
			Name: "an unknown review", Patch: webhook("  failurePolicy: Perhaps"), OnUpdate: true,
			Errors: []string{"webhooks[0].failurePolicy: Unsupported value: " + unknown},
		}},
		Columns: []string{"Name", "Webhooks", "Age"},
	}, {
		Resource: schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
		Valid: `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
spec:
  matchConstraints: ` + never + `
  failurePolicy: Fail
  validations: [{expression: "object.metadata.name != 'a'"}]
`,
		Update:     "spec: {failurePolicy: Ignore}",
		Status:     "status: {observedGeneration: 1, typeChecking: {expressionWarnings: [{fieldRef: a, warning: b}]}}",
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "nothing to check", Patch: "spec: {validations: []}", Errors: []string{
				"spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
				"spec.validations: Required value: validations or auditAnnotations must contain at least one item",
			},
		}, {
			Name: "an expression that is empty", Patch: "spec: {validations: [{expression: ''}]}",
			Errors: []string{"spec.validations[0].expression: Required value: expression is not specified"},
		}, {
			Name: "an unknown way to fail", OnUpdate: true, Patch: "spec: {failurePolicy: Perhaps}", Errors: []string{"spec.failurePolicy: Unsupported value: " + unknown},
		}},
		Columns: []string{"Name", "Validations", "ParamKind", "Age"},
	}, {
		Resource:   schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
		Valid:      "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, spec: {policyName: none.example.com, validationActions: [Deny], matchResources: " + never + "}}",
		Update:     "spec: {policyName: other.example.com}",
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "of no policy", Patch: "spec: {policyName: null}", Errors: []string{"spec.policyName: Required value"},
		}, {
			Name: "no action", Patch: "spec: {validationActions: []}", Errors: []string{"spec.validationActions: Required value"},
		}, {
			Name: "refused and warned", OnUpdate: true, Patch: "spec: {validationActions: [Deny, Warn]}",
			Errors: []string{`spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)`},
		}},
		Columns: []string{"Name", "PolicyName", "ParamRef", "Age"},
	}, {
		Resource:   schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
		Valid:      "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n" + webhook(""),
		Update:     webhook("  failurePolicy: Ignore"),
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name: "nowhere to ask", Patch: "webhooks: [{name: hook.example.com, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {}}]",
			Errors: []string{"webhooks[0].clientConfig: Required value: exactly one of url or service is required"},
		}, {
			Name: "an unknown match", OnUpdate: true, Patch: webhook("  matchPolicy: Nearly"),
			Errors: []string{`webhooks[0].matchPolicy: Unsupported value: "Nearly": supported values: "Equivalent", "Exact"`},
		}},
		Columns: []string{"Name", "Webhooks", "Age"},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = config
			kindtest.Run(t, suite)
		})
	}
}
