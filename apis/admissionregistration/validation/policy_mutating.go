// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateMutatingAdmissionPolicy judges a new policy.
func ValidateMutatingAdmissionPolicy(obj *admissionregistrationv1.MutatingAdmissionPolicy) field.ErrorList {
	return validateMutating(&obj.Spec, mutatingPolicy(&obj.Spec))
}

// ValidateMutatingAdmissionPolicyUpdate judges a changed policy.
func ValidateMutatingAdmissionPolicyUpdate(obj, old *admissionregistrationv1.MutatingAdmissionPolicy) field.ErrorList {
	p := mutatingPolicy(&obj.Spec)
	p.compare(mutatingPolicy(&old.Spec))
	for _, m := range old.Spec.Mutations {
		if m.ApplyConfiguration != nil {
			p.stored[m.ApplyConfiguration.Expression] = true
		}
		if m.JSONPatch != nil {
			p.stored[m.JSONPatch.Expression] = true
		}
	}
	return validateMutating(&obj.Spec, p)
}

func mutatingPolicy(s *admissionregistrationv1.MutatingAdmissionPolicySpec) *policy {
	return &policy{failurePolicy: s.FailurePolicy, paramKind: s.ParamKind, matchConstraints: s.MatchConstraints,
		matchConditions: s.MatchConditions, variables: s.Variables}
}

func validateMutating(s *admissionregistrationv1.MutatingAdmissionPolicySpec, p *policy) field.ErrorList {
	at := field.NewPath("spec")
	compiler, err := composed()
	if err != nil {
		return field.ErrorList{field.InternalError(at, err)}
	}
	errs := p.validate(at)
	errs = append(errs, validateMutable(s.MatchConstraints, at.Child("matchConstraints"))...)
	errs = append(errs, p.validateVariables(compiler, at.Child("variables"))...)
	if len(s.Mutations) == 0 {
		errs = append(errs, field.Required(at.Child("mutations"), "mutations must contain at least one item"))
	}
	for i := range s.Mutations {
		errs = append(errs, p.validateMutation(compiler, &s.Mutations[i], at.Child("mutations").Index(i))...)
	}
	if s.ReinvocationPolicy == "" {
		return append(errs, field.Required(at.Child("reinvocationPolicy"), ""))
	}
	return append(errs, fielderrors.OneOf(at.Child("reinvocationPolicy"), s.ReinvocationPolicy, admissionregistrationv1.IfNeededReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy)...)
}

// validateMutable refuses rules for deletes: there is nothing to mutate. The path of
// the error has no index, as upstream.
func validateMutable(m *admissionregistrationv1.MatchResources, at *field.Path) field.ErrorList {
	if m == nil {
		return nil
	}
	var errs field.ErrorList
	for _, rule := range m.ResourceRules {
		for _, o := range rule.Operations {
			errs = append(errs, fielderrors.OneOf(at.Child("resourceRules", "operations"), o, admissionregistrationv1.OperationAll, admissionregistrationv1.Connect, admissionregistrationv1.Create, admissionregistrationv1.Update)...)
		}
	}
	return errs
}

// validateMutation demands the patch that the type names, and no other.
func (p *policy) validateMutation(c plugincel.Compiler, m *admissionregistrationv1.Mutation, at *field.Path) field.ErrorList {
	if m.PatchType == "" {
		return field.ErrorList{field.Required(at.Child("patchType"), "")}
	}
	errs := fielderrors.OneOf(at.Child("patchType"), m.PatchType, admissionregistrationv1.PatchTypeApplyConfiguration, admissionregistrationv1.PatchTypeJSONPatch)
	if len(errs) > 0 {
		return errs
	}
	vars := p.vars()
	vars.HasPatchTypes = true
	patches := []struct {
		patchType  admissionregistrationv1.PatchType
		field      string
		expression *string
		accessor   func(string) plugincel.ExpressionAccessor
	}{
		{admissionregistrationv1.PatchTypeApplyConfiguration, "applyConfiguration", nil,
			func(e string) plugincel.ExpressionAccessor { return &patch.ApplyConfigurationCondition{Expression: e} }},
		{admissionregistrationv1.PatchTypeJSONPatch, "jsonPatch", nil,
			func(e string) plugincel.ExpressionAccessor { return &patch.JSONPatchCondition{Expression: e} }},
	}
	if m.ApplyConfiguration != nil {
		patches[0].expression = &m.ApplyConfiguration.Expression
	}
	if m.JSONPatch != nil {
		patches[1].expression = &m.JSONPatch.Expression
	}
	for _, one := range patches {
		switch at := at.Child(one.field); {
		case one.patchType == m.PatchType && one.expression == nil:
			errs = append(errs, field.Required(at, "must be specified when patchType is "+string(m.PatchType)))
		case one.patchType != m.PatchType && one.expression != nil:
			errs = append(errs, field.Invalid(at, "{}", "must not be specified when patchType is "+string(m.PatchType)))
		case one.patchType != m.PatchType:
		case strings.TrimSpace(*one.expression) == "":
			errs = append(errs, field.Required(at.Child("expression"), ""))
		default:
			e := strings.TrimSpace(*one.expression)
			errs = append(errs, compile(c, one.accessor(e), vars, environments(p.stored, *one.expression), at.Child("expression"), e)...)
		}
	}
	return errs
}
