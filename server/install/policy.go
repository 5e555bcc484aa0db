// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// policies have the cluster itself keep rules of tenants, also while the server is down:
// who sets the label that gives a namespace to one, and that nothing changes in the
// namespaces of one that is suspended, which the server marks with another label. A third
// label says what the cluster asks the server about.
func (o Options) policies() []runtime.Object {
	return append(o.policy("stoa-tenant-label", o.labels()), o.policy("stoa-tenant-suspended", o.suspension())...)
}

// policy denies what a specification says.
func (o Options) policy(name string, spec admissionregistrationv1.ValidatingAdmissionPolicySpec) []runtime.Object {
	spec.FailurePolicy = new(admissionregistrationv1.Fail)
	spec.MatchConstraints.MatchPolicy = new(admissionregistrationv1.Equivalent)
	return []runtime.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicy{TypeMeta: kind(admissionregistrationv1.GroupName, "ValidatingAdmissionPolicy"), ObjectMeta: o.meta("", name), Spec: spec},
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: kind(admissionregistrationv1.GroupName, "ValidatingAdmissionPolicyBinding"), ObjectMeta: o.meta("", name),
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}},
		},
	}
}

func (o Options) labels() admissionregistrationv1.ValidatingAdmissionPolicySpec {
	return admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: rules("", "v1", []string{"namespaces", "namespaces/finalize", "namespaces/status"}, admissionregistrationv1.Create, admissionregistrationv1.Update)},
		MatchConditions:  []admissionregistrationv1.MatchCondition{o.others()},
		Variables: []admissionregistrationv1.Variable{
			{Name: "before", Expression: "oldObject == null ? '' : " + tenantOf("oldObject")},
			{Name: "now", Expression: tenantOf("object")},
			{Name: "wasSuspended", Expression: "oldObject == null ? '' : " + label("oldObject", tenancy.SuspendedLabel)},
			{Name: "hadLimits", Expression: "oldObject == null ? '' : " + label("oldObject", tenancy.LimitsLabel)},
		},
		Validations: []admissionregistrationv1.Validation{
			{
				Expression: "variables.before == variables.now || (variables.before == '' || " + uses("variables.before") + ") && (variables.now == '' || " + uses("variables.now") + ")",
				Reason:     new(metav1.StatusReasonForbidden),
				Message:    "metadata.labels[" + tenancy.TenantLabel + "]: only who may use the tenant can change it; its owners create projects",
			},
			{
				Expression: "variables.wasSuspended == " + label("object", tenancy.SuspendedLabel),
				Reason:     new(metav1.StatusReasonForbidden),
				Message:    "metadata.labels[" + tenancy.SuspendedLabel + "]: only the server changes it",
			},
			{
				Expression: "variables.hadLimits == " + label("object", tenancy.LimitsLabel),
				Reason:     new(metav1.StatusReasonForbidden),
				Message:    "metadata.labels[" + tenancy.LimitsLabel + "]: only the server changes it",
			},
		},
	}
}

func (o Options) suspension() admissionregistrationv1.ValidatingAdmissionPolicySpec {
	return admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionregistrationv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: tenancy.SuspendedLabel, Operator: metav1.LabelSelectorOpExists}}},
			ResourceRules:     rules("*", "*", []string{"*/*"}, admissionregistrationv1.OperationAll),
		},
		MatchConditions: []admissionregistrationv1.MatchCondition{
			o.others(),
			// The selector selects namespaces: what is in none of them passes it.
			{Name: "of-a-namespace", Expression: "request.?namespace.orValue('') != '' || request.resource.group == '' && request.resource.resource == 'namespaces'"},
			{Name: "not-a-question", Expression: "request.resource.group != 'authorization.k8s.io'"},
			{Name: "not-the-system", Expression: "request.userInfo.username.startsWith('system:serviceaccount:') ? " +
				"!request.userInfo.username.startsWith('system:serviceaccount:kube-system:') : " +
				"!request.userInfo.username.startsWith('system:') || request.userInfo.username == 'system:anonymous'"},
		},
		Variables: []admissionregistrationv1.Variable{{Name: "tenant", Expression: strings.Join([]string{
			"namespaceObject != null ? " + label("namespaceObject", tenancy.SuspendedLabel),
			"oldObject != null ? " + label("oldObject", tenancy.SuspendedLabel), label("object", tenancy.SuspendedLabel),
		}, " : ")}},
		Validations: []admissionregistrationv1.Validation{{
			Expression: uses("variables.tenant"),
			Reason:     new(metav1.StatusReasonForbidden),
			Message:    "the tenant is suspended: nothing can be changed in its namespaces",
		}},
	}
}

// others is the condition that it is not the server itself that asks.
func (o Options) others() admissionregistrationv1.MatchCondition {
	subject := o.Subject()
	name := subject.Name
	if subject.Kind == rbacv1.ServiceAccountKind {
		name = serviceaccount.MakeUsername(subject.Namespace, subject.Name)
	}
	return admissionregistrationv1.MatchCondition{Name: "not-the-server", Expression: fmt.Sprintf("request.userInfo.username != '%s'", name)}
}

func rules(group, version string, resources []string, operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.NamedRuleWithOperations {
	return []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: operations,
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources},
	}}}
}

// label is the expression for a label of an object; an empty text if it has none.
func label(of, name string) string {
	return fmt.Sprintf("%s.metadata.?labels[?'%s'].orValue('')", of, name)
}

// tenantOf is the expression for the tenant that a namespace says it is of. One without a
// name is a tenant that nobody has.
func tenantOf(of string) string {
	return fmt.Sprintf("%s.metadata.?labels[?'%s'].optMap(name, name == '' ? '-' : name).orValue('')", of, tenancy.TenantLabel)
}

// uses is the expression for whether the user has the verb "use" for a tenant.
func uses(tenant string) string {
	return fmt.Sprintf("authorizer.group('%s').resource('tenants').name(%s).check('use').allowed()", tenancy.GroupName, tenant)
}
