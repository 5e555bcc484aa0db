// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
)

// verbs are those that a rule may name, sorted for messages.
//
//nolint:gochecknoglobals // constant
var verbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"}

// ValidateFlowSchema judges a flow schema, new or changed. Those that the server
// cannot do without may not differ from what the library has.
func ValidateFlowSchema(obj *flowcontrolv1.FlowSchema) field.ErrorList {
	spec := field.NewPath("spec")
	errs := validateFlowSchemaSpec(obj.Name, &obj.Spec, spec)
	for _, fixed := range bootstrap.MandatoryFlowSchemas {
		if fixed.Name == obj.Name && !apiequality.Semantic.DeepEqual(obj.Spec, fixed.Spec) {
			errs = append(errs, field.Invalid(spec, obj.Spec, fmt.Sprintf("spec of '%s' must equal the fixed value", obj.Name)))
		}
	}
	return append(errs, ValidateFlowSchemaStatus(obj)...)
}

// ValidateFlowSchemaStatus judges a changed status.
func ValidateFlowSchemaStatus(obj *flowcontrolv1.FlowSchema) field.ErrorList {
	return validateConditionTypes(obj.Status.Conditions, func(c flowcontrolv1.FlowSchemaCondition) string { return string(c.Type) })
}

// validateConditionTypes demands that conditions have types, and different ones.
func validateConditionTypes[C any](conditions []C, typeOf func(C) string) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, c := range conditions {
		at := field.NewPath("status", "conditions").Index(i).Child("type")
		name := typeOf(c)
		if seen[name] {
			errs = append(errs, field.Duplicate(at, name))
		}
		seen[name] = true
		if name == "" {
			errs = append(errs, field.Required(at, ""))
		}
	}
	return errs
}

func validateFlowSchemaSpec(name string, spec *flowcontrolv1.FlowSchemaSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	precedence := at.Child("matchingPrecedence")
	switch n := spec.MatchingPrecedence; {
	case n <= 0:
		errs = append(errs, field.Invalid(precedence, n, "must be a positive value"))
	case n > flowcontrolv1.FlowSchemaMaxMatchingPrecedence:
		errs = append(errs, field.Invalid(precedence, n, fmt.Sprintf("must not be greater than %v", flowcontrolv1.FlowSchemaMaxMatchingPrecedence)))
	case n == 1 && name != flowcontrolv1.FlowSchemaNameExempt:
		errs = append(errs, field.Invalid(precedence, n, "only the schema named 'exempt' may have matchingPrecedence 1"))
	}
	if m := spec.DistinguisherMethod; m != nil && m.Type != flowcontrolv1.FlowDistinguisherMethodByUserType &&
		m.Type != flowcontrolv1.FlowDistinguisherMethodByNamespaceType {
		errs = append(errs, field.NotSupported(at.Child("distinguisherMethod", "type"), m,
			[]flowcontrolv1.FlowDistinguisherMethodType{flowcontrolv1.FlowDistinguisherMethodByNamespaceType, flowcontrolv1.FlowDistinguisherMethodByUserType}))
	}
	level := at.Child("priorityLevelConfiguration", "name")
	if spec.PriorityLevelConfiguration.Name == "" {
		errs = append(errs, field.Required(level, "must reference a priority level"))
	} else {
		errs = append(errs, nameErrors(apivalidation.NameIsDNSSubdomain, spec.PriorityLevelConfiguration.Name, level, "")...)
	}
	for i := range spec.Rules {
		errs = append(errs, validateRules(&spec.Rules[i], at.Child("rules").Index(i))...)
	}
	return errs
}

func nameErrors(valid apivalidation.ValidateNameFunc, name string, at *field.Path, intro string) field.ErrorList {
	var errs field.ErrorList
	for _, msg := range valid(name, false) {
		errs = append(errs, field.Invalid(at, name, intro+msg))
	}
	return errs
}

func validateRules(rule *flowcontrolv1.PolicyRulesWithSubjects, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(rule.Subjects) == 0 {
		errs = append(errs, field.Required(at.Child("subjects"), "subjects must contain at least one value"))
	}
	for i := range rule.Subjects {
		errs = append(errs, validateSubject(&rule.Subjects[i], at.Child("subjects").Index(i))...)
	}
	if len(rule.ResourceRules) == 0 && len(rule.NonResourceRules) == 0 {
		errs = append(errs, field.Required(at, "at least one of resourceRules and nonResourceRules has to be non-empty"))
	}
	for i := range rule.ResourceRules {
		errs = append(errs, validateResourceRule(&rule.ResourceRules[i], at.Child("resourceRules").Index(i))...)
	}
	for i := range rule.NonResourceRules {
		errs = append(errs, validateNonResourceRule(&rule.NonResourceRules[i], at.Child("nonResourceRules").Index(i))...)
	}
	return errs
}

// validateSubject demands the member that the kind of a subject names, and no other.
func validateSubject(s *flowcontrolv1.Subject, at *field.Path) field.ErrorList {
	members := []struct {
		kind  flowcontrolv1.SubjectKind
		field string
		set   bool
	}{
		{flowcontrolv1.SubjectKindServiceAccount, "serviceAccount", s.ServiceAccount != nil},
		{flowcontrolv1.SubjectKindUser, "user", s.User != nil},
		{flowcontrolv1.SubjectKindGroup, "group", s.Group != nil},
	}
	var errs field.ErrorList
	known := false
	for _, m := range members {
		known = known || m.kind == s.Kind
	}
	if !known {
		return append(errs, field.NotSupported(at.Child("kind"), s.Kind,
			[]flowcontrolv1.SubjectKind{flowcontrolv1.SubjectKindGroup, flowcontrolv1.SubjectKindServiceAccount, flowcontrolv1.SubjectKindUser}))
	}
	for _, m := range members {
		switch at := at.Child(m.field); {
		case m.kind != s.Kind && m.set:
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("%s is forbidden when subject kind is not '%s'", m.field, m.kind)))
		case m.kind == s.Kind && !m.set:
			errs = append(errs, field.Required(at, fmt.Sprintf("%s is required when subject kind is '%s'", m.field, m.kind)))
		case m.kind == s.Kind:
			errs = append(errs, validateMember(s, at)...)
		}
	}
	return errs
}

func validateMember(s *flowcontrolv1.Subject, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case s.Kind == flowcontrolv1.SubjectKindUser && s.User.Name == "",
		s.Kind == flowcontrolv1.SubjectKindGroup && s.Group.Name == "",
		s.Kind == flowcontrolv1.SubjectKindServiceAccount && s.ServiceAccount.Name == "":
		errs = append(errs, field.Required(at.Child("name"), ""))
	case s.Kind == flowcontrolv1.SubjectKindServiceAccount && s.ServiceAccount.Name != flowcontrolv1.NameAll:
		errs = nameErrors(apivalidation.ValidateServiceAccountName, s.ServiceAccount.Name, at.Child("name"), "")
	}
	if s.Kind != flowcontrolv1.SubjectKindServiceAccount {
		return errs
	}
	if s.ServiceAccount.Namespace == "" {
		return append(errs, field.Required(at.Child("namespace"), "must specify namespace for service account"))
	}
	return append(errs, nameErrors(apivalidation.ValidateNamespaceName, s.ServiceAccount.Namespace, at.Child("namespace"), "")...)
}

// validateList judges a list that must have an item, and no other beside "*". The
// items of a list without "*" are for the caller to judge: then it returns true.
func validateList(items []string, at *field.Path, missing, others string) (field.ErrorList, bool) {
	switch {
	case len(items) == 0:
		return field.ErrorList{field.Required(at, missing)}, false
	case !slices.Contains(items, "*"):
		return nil, true
	case len(items) > 1:
		return field.ErrorList{field.Invalid(at, items, "if '*' is present, must not specify other "+others)}, false
	}
	return nil, false
}

func validateVerbs(items []string, at *field.Path) field.ErrorList {
	errs, plain := validateList(items, at, "verbs must contain at least one value", "verbs")
	if plain && slices.ContainsFunc(items, func(v string) bool { return !slices.Contains(verbs, v) }) {
		errs = append(errs, field.NotSupported(at, items, verbs))
	}
	return errs
}

func validateResourceRule(rule *flowcontrolv1.ResourcePolicyRule, at *field.Path) field.ErrorList {
	errs := validateVerbs(rule.Verbs, at.Child("verbs"))
	groups, _ := validateList(rule.APIGroups, at.Child("apiGroups"), "resource rules must supply at least one api group", "api groups")
	resources, _ := validateList(rule.Resources, at.Child("resources"), "resource rules must supply at least one resource", "resources")
	errs = append(append(errs, groups...), resources...)
	if len(rule.Namespaces) == 0 && rule.ClusterScope {
		return errs
	}
	namespaces, plain := validateList(rule.Namespaces, at.Child("namespaces"),
		"resource rules that are not cluster scoped must supply at least one namespace", "namespaces")
	errs = append(errs, namespaces...)
	for i, name := range rule.Namespaces {
		if plain {
			errs = append(errs, nameErrors(apivalidation.ValidateNamespaceName, name, at.Child("namespaces").Index(i),
				"each member of this list must be '*' or a DNS-1123 label; ")...)
		}
	}
	return errs
}

func validateNonResourceRule(rule *flowcontrolv1.NonResourcePolicyRule, at *field.Path) field.ErrorList {
	errs := validateVerbs(rule.Verbs, at.Child("verbs"))
	at = at.Child("nonResourceURLs")
	urls, plain := validateList(rule.NonResourceURLs, at, "nonResourceURLs must contain at least one value", "non-resource URLs")
	errs = append(errs, urls...)
	for i, url := range rule.NonResourceURLs {
		if msg := invalidURL(url); plain && msg != "" {
			errs = append(errs, field.Invalid(at.Index(i), url, msg))
		}
	}
	return errs
}

func invalidURL(url string) string {
	wildcards := strings.Count(url, "*")
	switch {
	case url == "":
		return "must not be empty"
	case !strings.HasPrefix(url, "/"):
		return "must start with slash"
	case strings.Contains(url, " "):
		return "must not contain white-space"
	case strings.Contains(url, "//"):
		return "must not contain double slash"
	case wildcards > 1, wildcards == 1 && !strings.HasSuffix(url, "/*"):
		return "wildcard can only do suffix matching"
	}
	return ""
}
