// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func hooks(change func(*admissionregistrationv1.MutatingWebhook)) *admissionregistrationv1.MutatingWebhookConfiguration {
	h := admissionregistrationv1.MutatingWebhook{
		Name: "a.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new("https://example.com/a")},
		SideEffects: new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
	}
	if change != nil {
		change(&h)
	}
	return &admissionregistrationv1.MutatingWebhookConfiguration{Webhooks: []admissionregistrationv1.MutatingWebhook{h}}
}

// TestWebhookFlaws says of each flaw that it is refused in a new webhook, and
// forgiven in one that had it.
func TestWebhookFlaws(t *testing.T) {
	t.Parallel()
	fielderrorstest.Compare(t, nil, ValidateMutatingWebhookConfiguration(hooks(nil)))
	for name, tc := range map[string]struct {
		change func(*admissionregistrationv1.MutatingWebhook)
		want   string
	}{
		"side effects": {func(h *admissionregistrationv1.MutatingWebhook) {
			h.SideEffects = new(admissionregistrationv1.SideEffectClassSome)
		},
			`webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"`},
		"review versions": {func(h *admissionregistrationv1.MutatingWebhook) { h.AdmissionReviewVersions = []string{"v2"} },
			`webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1`},
		"label": {func(h *admissionregistrationv1.MutatingWebhook) {
			h.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "In", Values: []string{"-"}}}}
		}, "webhooks[0].objectSelector.matchExpressions[0].values[0]: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
		"condition": {func(h *admissionregistrationv1.MutatingWebhook) {
			h.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "a", Expression: "nobody"}}
		}, "webhooks[0].matchConditions[0].expression: Invalid value: \"nobody\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody\n | ^"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, []string{tc.want}, ValidateMutatingWebhookConfiguration(hooks(tc.change)))
			fielderrorstest.Compare(t, []string{tc.want}, ValidateMutatingWebhookConfigurationUpdate(hooks(tc.change), hooks(nil)))
			fielderrorstest.Compare(t, nil, ValidateMutatingWebhookConfigurationUpdate(hooks(tc.change), hooks(tc.change)))
		})
	}
	twice := hooks(nil)
	twice.Webhooks = append(twice.Webhooks, twice.Webhooks...)
	fielderrorstest.Compare(t, []string{`webhooks[1].name: Duplicate value: "a.example.com"`}, ValidateMutatingWebhookConfiguration(twice))
	fielderrorstest.Compare(t, nil, ValidateMutatingWebhookConfigurationUpdate(twice, twice))
}

func TestValidateResources(t *testing.T) {
	t.Parallel()
	for resources, want := range map[string][]string{
		"*,pods/log":      nil,
		"pods,*/scale":    nil,
		"pods,*":          nil, // the last without a subresource counts
		"*,pods":          {`r: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources`},
		"*/*,pods":        {`r: Invalid value: ["*/*","pods"]: if '*/*' is present, must not specify other resources`},
		"pods/*,pods/x":   {`r[1]: Invalid value: "pods/x": if 'pods/*' is present, must not specify pods/x`},
		"*/scale,a/scale": {`r[1]: Invalid value: "a/scale": if '*/scale' is present, must not specify a/scale`},
	} {
		fielderrorstest.Compare(t, want, validateResources(strings.Split(resources, ","), field.NewPath("r")))
	}
}

func match() *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{
		MatchPolicy: new(admissionregistrationv1.Equivalent), NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
		ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create}, Rule: admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
		}}},
	}
}

func TestValidatePolicy(t *testing.T) {
	t.Parallel()
	policy := func(change func(*admissionregistrationv1.ValidatingAdmissionPolicySpec)) *admissionregistrationv1.ValidatingAdmissionPolicy {
		p := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: new(admissionregistrationv1.Fail), MatchConstraints: match(),
			Variables:   []admissionregistrationv1.Variable{{Name: "ok", Expression: "true"}},
			Validations: []admissionregistrationv1.Validation{{Expression: "variables.ok", MessageExpression: "'no'"}},
		}}
		change(&p.Spec)
		return p
	}
	for name, tc := range map[string]struct {
		change func(*admissionregistrationv1.ValidatingAdmissionPolicySpec)
		want   []string
	}{
		"valid": {func(*admissionregistrationv1.ValidatingAdmissionPolicySpec) {}, nil},
		"reserved name": {func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.Variables = append(s.Variables, admissionregistrationv1.Variable{Name: "if", Expression: "1"})
		}, []string{
			`spec.variables[1].name: Invalid value: "if": must be a valid CEL identifier`}},
		"type": {func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) { s.Validations[0].Expression = "1" }, []string{
			`spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int`}},
		"line break": {func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) { s.Validations[0].Message = "a\nb" }, []string{
			"spec.validations[0].message: Invalid value: \"a\\nb\": message must not contain line breaks"}},
		"parameters that there are not": {func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.Validations[0].Expression = "params.a"
		}, []string{
			"spec.validations[0].expression: Invalid value: \"params.a\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.a\n | ^"}},
		"group of parameters": {func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "a/b/c", Kind: "K"}
		}, []string{
			`spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c`}},
		"annotations": {func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.AuditAnnotations = []admissionregistrationv1.AuditAnnotation{{Key: "a", ValueExpression: "'1'"}, {Key: "a", ValueExpression: " "}}
		}, []string{
			"spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not specified",
			`spec.auditAnnotations[1].key: Duplicate value: "a"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := policy(tc.change)
			fielderrorstest.Compare(t, tc.want, ValidateValidatingAdmissionPolicy(p))
			fielderrorstest.Compare(t, tc.want, ValidateValidatingAdmissionPolicyUpdate(p, policy(func(*admissionregistrationv1.ValidatingAdmissionPolicySpec) {})))
		})
	}
	broken := policy(func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
		s.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "a", Expression: "nobody"}}
	})
	fielderrorstest.Compare(t, nil, ValidateValidatingAdmissionPolicyUpdate(broken, broken)) // match conditions that stay are not compiled
}

func TestValidateMutations(t *testing.T) {
	t.Parallel()
	policy := func(m admissionregistrationv1.Mutation) *admissionregistrationv1.MutatingAdmissionPolicy {
		return &admissionregistrationv1.MutatingAdmissionPolicy{Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			FailurePolicy: new(admissionregistrationv1.Fail), MatchConstraints: match(), ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy, Mutations: []admissionregistrationv1.Mutation{m},
		}}
	}
	apply := &admissionregistrationv1.ApplyConfiguration{Expression: "Object{}"}
	fielderrorstest.Compare(t, nil, ValidateMutatingAdmissionPolicy(policy(admissionregistrationv1.Mutation{PatchType: admissionregistrationv1.PatchTypeApplyConfiguration, ApplyConfiguration: apply})))
	fielderrorstest.Compare(t, []string{
		`spec.mutations[0].applyConfiguration: Invalid value: "{}": must not be specified when patchType is JSONPatch`,
		"spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
	}, ValidateMutatingAdmissionPolicy(policy(admissionregistrationv1.Mutation{PatchType: admissionregistrationv1.PatchTypeJSONPatch, ApplyConfiguration: apply})))
	deletes := policy(admissionregistrationv1.Mutation{PatchType: admissionregistrationv1.PatchTypeApplyConfiguration, ApplyConfiguration: apply})
	deletes.Spec.MatchConstraints.ResourceRules[0].Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.Delete}
	fielderrorstest.Compare(t, []string{`spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"`},
		ValidateMutatingAdmissionPolicy(deletes))
}

func TestValidateBinding(t *testing.T) {
	t.Parallel()
	binding := func(params *admissionregistrationv1.ParamRef, actions ...admissionregistrationv1.ValidationAction) field.ErrorList {
		return ValidateValidatingAdmissionPolicyBinding(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "p", ParamRef: params, ValidationActions: actions}})
	}
	fielderrorstest.Compare(t, nil, binding(nil, admissionregistrationv1.Deny, admissionregistrationv1.Audit))
	both := binding(&admissionregistrationv1.ParamRef{Name: "a", Selector: &metav1.LabelSelector{}, ParameterNotFoundAction: new(admissionregistrationv1.AllowAction)}, admissionregistrationv1.Warn, admissionregistrationv1.Warn, admissionregistrationv1.Deny)
	got := make([]string, len(both))
	for i, err := range both {
		got[i] = err.Field + " " + string(err.Type)
	}
	if want := []string{"spec.paramRef.name FieldValueForbidden", "spec.paramRef.selector FieldValueForbidden",
		"spec.validationActions[1] FieldValueDuplicate", "spec.validationActions FieldValueInvalid"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	fielderrorstest.Compare(t, []string{"spec.paramRef: Required value: one of name or selector must be specified", "spec.paramRef.parameterNotFoundAction: Required value"},
		binding(&admissionregistrationv1.ParamRef{}, admissionregistrationv1.Deny))
}
