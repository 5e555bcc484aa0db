// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/client-go/util/jsonpath"
)

const (
	maxAuditAnnotations = 20
	maxValueExpression  = 5 << 10
)

// policy is what policies of both kinds have in common.
type policy struct {
	failurePolicy    *admissionregistrationv1.FailurePolicyType
	paramKind        *admissionregistrationv1.ParamKind
	matchConstraints *admissionregistrationv1.MatchResources
	matchConditions  []admissionregistrationv1.MatchCondition
	variables        []admissionregistrationv1.Variable
	// unchanged says that an update left the match conditions alone.
	unchanged bool
	// stored are the expressions that the policy had before the update.
	stored map[string]bool
}

func (p *policy) compare(old *policy) {
	p.unchanged = apiequality.Semantic.DeepEqual(p.paramKind, old.paramKind) && apiequality.Semantic.DeepEqual(p.matchConditions, old.matchConditions)
	p.stored = map[string]bool{}
	for _, c := range old.matchConditions {
		p.stored[c.Expression] = true
	}
	for _, v := range old.variables {
		p.stored[v.Expression] = true
	}
}

func (p *policy) vars() plugincel.OptionalVariableDeclarations {
	return plugincel.OptionalVariableDeclarations{HasParams: p.paramKind != nil, HasAuthorizer: true}
}

// ValidateValidatingAdmissionPolicy judges a new policy.
func ValidateValidatingAdmissionPolicy(obj *admissionregistrationv1.ValidatingAdmissionPolicy) field.ErrorList {
	return validateValidating(obj, validatingPolicy(&obj.Spec))
}

// ValidateValidatingAdmissionPolicyUpdate judges a changed policy.
func ValidateValidatingAdmissionPolicyUpdate(obj, old *admissionregistrationv1.ValidatingAdmissionPolicy) field.ErrorList {
	p := validatingPolicy(&obj.Spec)
	p.compare(validatingPolicy(&old.Spec))
	for _, v := range old.Spec.Validations {
		p.stored[v.Expression], p.stored[v.MessageExpression] = true, true
	}
	for _, a := range old.Spec.AuditAnnotations {
		p.stored[a.ValueExpression] = true
	}
	return validateValidating(obj, p)
}

func validatingPolicy(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) *policy {
	return &policy{failurePolicy: s.FailurePolicy, paramKind: s.ParamKind, matchConstraints: s.MatchConstraints,
		matchConditions: s.MatchConditions, variables: s.Variables}
}

func validateValidating(obj *admissionregistrationv1.ValidatingAdmissionPolicy, p *policy) field.ErrorList {
	at, s := field.NewPath("spec"), &obj.Spec
	errs := p.validate(at)
	compiler := plain()
	if len(p.variables) > 0 {
		c, err := composed()
		if err != nil {
			return append(errs, field.InternalError(at.Child("variables"), err))
		}
		errs = append(errs, p.validateVariables(c, at.Child("variables"))...)
		compiler = c
	}
	if len(s.Validations) == 0 && len(s.AuditAnnotations) == 0 {
		const msg = "validations or auditAnnotations must contain at least one item"
		return append(errs, field.Required(at.Child("validations"), msg), field.Required(at.Child("auditAnnotations"), msg))
	}
	for i := range s.Validations {
		errs = append(errs, p.validateValidation(compiler, &s.Validations[i], at.Child("validations").Index(i))...)
	}
	at = at.Child("auditAnnotations")
	if len(s.AuditAnnotations) > maxAuditAnnotations {
		errs = append(errs, field.Invalid(at, s.AuditAnnotations, fmt.Sprintf("must not have more than %d auditAnnotations", maxAuditAnnotations)))
	}
	for i, a := range s.AuditAnnotations {
		errs = append(errs, p.validateAnnotation(compiler, obj.Name, &s.AuditAnnotations[i], at.Index(i))...)
		if slices.ContainsFunc(s.AuditAnnotations[:i], func(b admissionregistrationv1.AuditAnnotation) bool { return a.Key == b.Key }) {
			errs = append(errs, field.Duplicate(at.Index(i).Child("key"), a.Key))
		}
	}
	return errs
}

// validate judges what policies of both kinds have, but for the variables.
func (p *policy) validate(at *field.Path) field.ErrorList {
	errs := requiredOf(p.failurePolicy, at.Child("failurePolicy"), admissionregistrationv1.Fail, admissionregistrationv1.Ignore)
	if p.paramKind != nil {
		errs = append(errs, validateParamKind(p.paramKind, at.Child("paramKind"))...)
	}
	if p.matchConstraints == nil {
		errs = append(errs, field.Required(at.Child("matchConstraints"), ""))
	} else {
		errs = append(errs, validateMatchResources(p.matchConstraints, at.Child("matchConstraints"))...)
		if len(p.matchConstraints.ResourceRules) == 0 { // they tell the types of what expressions see
			errs = append(errs, field.Required(at.Child("matchConstraints", "resourceRules"), ""))
		}
	}
	if !p.unchanged {
		errs = append(errs, validateMatchConditions(p.matchConditions, p.stored, p.paramKind != nil, at.Child("matchConditions"))...)
	}
	return errs
}

// celName is a name that CEL takes and does not use itself.
//
//nolint:gochecknoglobals // constants
var (
	celName     = regexp.MustCompile("^[_a-zA-Z][_a-zA-Z0-9]*$")
	celReserved = strings.Fields("true false null in as break const continue else for function if import let loop package namespace return var void while")
)

// validateVariables judges the variables and makes the compiler know them.
func (p *policy) validateVariables(c *plugincel.CompositedCompiler, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, v := range p.variables {
		at := at.Index(i)
		if strings.TrimSpace(v.Name) == "" {
			errs = append(errs, field.Required(at.Child("name"), "name is not specified"))
		} else if !celName.MatchString(v.Name) || slices.Contains(celReserved, v.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), v.Name, "must be a valid CEL identifier"))
		}
		if strings.TrimSpace(v.Expression) == "" {
			errs = append(errs, field.Required(at.Child("expression"), "expression is not specified"))
			continue
		}
		result := c.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, p.vars(), environments(p.stored, v.Expression))
		errs = append(errs, celErrors(result, at.Child("expression"), v.Expression)...)
	}
	return errs
}

func (p *policy) validateValidation(c plugincel.Compiler, v *admissionregistrationv1.Validation, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if strings.TrimSpace(v.Expression) == "" {
		errs = append(errs, field.Required(at.Child("expression"), "expression is not specified"))
	} else {
		errs = append(errs, compile(c, &validating.ValidationCondition{Expression: v.Expression}, p.vars(),
			environments(p.stored, v.Expression), at.Child("expression"), v.Expression)...)
	}
	if v.MessageExpression != "" && strings.TrimSpace(v.MessageExpression) == "" {
		errs = append(errs, field.Invalid(at.Child("messageExpression"), v.MessageExpression, "must be non-empty if specified"))
	} else if v.MessageExpression != "" {
		vars := plugincel.OptionalVariableDeclarations{HasParams: p.paramKind != nil}
		errs = append(errs, compile(c, &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}, vars,
			environments(p.stored, v.MessageExpression), at.Child("messageExpression"), v.MessageExpression)...)
	}
	if message := strings.TrimSpace(v.Message); v.Message != "" && message == "" {
		errs = append(errs, field.Invalid(at.Child("message"), v.Message, "message must be non-empty if specified"))
	} else if strings.ContainsAny(message, "\n\r") {
		errs = append(errs, field.Invalid(at.Child("message"), v.Message, "message must not contain line breaks"))
	}
	return append(errs, supportedIfSet(v.Reason, at.Child("reason"),
		metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonRequestEntityTooLarge)...)
}

func (p *policy) validateAnnotation(c plugincel.Compiler, policy string, a *admissionregistrationv1.AuditAnnotation, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if policy == "" {
		errs = append(errs, field.Invalid(at.Child("key"), a.Key, "requires metadata.name be non-empty"))
	} else {
		errs = append(errs, validateQualifiedName(policy+"/"+a.Key, at.Child("key"))...)
	}
	at = at.Child("valueExpression")
	switch expression := strings.TrimSpace(a.ValueExpression); {
	case expression == "":
		return append(errs, field.Required(at, "valueExpression is not specified"))
	case len(expression) > maxValueExpression:
		return append(errs, field.Required(at, fmt.Sprintf("must not exceed %d bytes in length", maxValueExpression)))
	default:
		return append(errs, compile(c, &validating.AuditAnnotationCondition{ValueExpression: expression}, p.vars(),
			environments(p.stored, a.ValueExpression), at, a.ValueExpression)...)
	}
}

func validateParamKind(kind *admissionregistrationv1.ParamKind, at *field.Path) field.ErrorList {
	errs := validateAPIVersion(kind.APIVersion, at.Child("apiVersion"))
	if kind.Kind == "" {
		return append(errs, field.Required(at.Child("kind"), ""))
	}
	if msgs := validation.IsDNS1035Label(strings.ToLower(kind.Kind)); len(msgs) > 0 {
		errs = append(errs, field.Invalid(at.Child("kind"), kind.Kind, "may have mixed case, but should otherwise match: "+strings.Join(msgs, ",")))
	}
	return errs
}

func validateAPIVersion(name string, at *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	group, version, grouped := strings.Cut(name, "/")
	switch {
	case name == "/":
		group, version = "", ""
	case !grouped:
		group, version = "", name
	case strings.Contains(version, "/"):
		return field.ErrorList{field.Invalid(at, name, "unexpected GroupVersion string: "+name)}
	}
	var errs field.ErrorList
	if group != "" {
		if msgs := validation.IsDNS1123Subdomain(group); len(msgs) > 0 {
			errs = append(errs, field.Invalid(at, group, strings.Join(msgs, ",")))
		}
	}
	if version == "" {
		return append(errs, field.Invalid(at, name, "version must be specified"))
	}
	if msgs := validation.IsDNS1035Label(version); len(msgs) > 0 {
		errs = append(errs, field.Invalid(at, version, strings.Join(msgs, ",")))
	}
	return errs
}

// ValidateValidatingAdmissionPolicyStatus judges a changed status.
func ValidateValidatingAdmissionPolicyStatus(obj *admissionregistrationv1.ValidatingAdmissionPolicy) field.ErrorList {
	var errs field.ErrorList
	if obj.Status.TypeChecking != nil {
		at := field.NewPath("status", "typeChecking", "expressionWarnings")
		for i, w := range obj.Status.TypeChecking.ExpressionWarnings {
			if w.Warning == "" {
				errs = append(errs, field.Required(at.Index(i).Child("warning"), ""))
			}
			errs = append(errs, validateFieldRef(strings.TrimSpace(w.FieldRef), at.Index(i).Child("fieldRef"))...)
		}
	}
	return append(errs, metav1validation.ValidateConditions(obj.Status.Conditions, field.NewPath("status", "conditions"))...)
}

func validateFieldRef(ref string, at *field.Path) field.ErrorList {
	if ref == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	if err := jsonpath.New("spec").Parse("{" + ref + "}"); err != nil {
		return field.ErrorList{field.Invalid(at, ref, fmt.Sprintf("invalid JSONPath: %v", err))}
	}
	return nil
}
