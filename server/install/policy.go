// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// policyName is that of the policy and its binding.
const policyName = "stoa-tenant-label"

// policy keeps the label that gives namespaces to tenants: the server sets it for
// projects, and who may use a tenant. The cluster decides that by itself, also while the
// server is down.
func (o Options) policy() []runtime.Object {
	equivalent, fail := admissionv1.Equivalent, admissionv1.Fail
	label := func(of string) string {
		return fmt.Sprintf("%[1]s == null ? '' : %[1]s.metadata.?labels[?'%[2]s'].orValue('')", of, tenancy.TenantLabel)
	}
	may := func(variable string) string {
		return fmt.Sprintf("(variables.%[1]s == '' || authorizer.group('%[2]s').resource('tenants').name(variables.%[1]s).check('use').allowed())", variable, tenancy.GroupName)
	}
	return []runtime.Object{
		&admissionv1.ValidatingAdmissionPolicy{
			TypeMeta: kind(admissionv1.GroupName, "ValidatingAdmissionPolicy"), ObjectMeta: o.meta("", policyName),
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				FailurePolicy: &fail,
				MatchConstraints: &admissionv1.MatchResources{MatchPolicy: &equivalent, ResourceRules: []admissionv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionv1.RuleWithOperations{
						Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
						Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"namespaces"}},
					},
				}}},
				Variables: []admissionv1.Variable{{Name: "before", Expression: label("oldObject")}, {Name: "now", Expression: label("object")}},
				Validations: []admissionv1.Validation{{
					Expression: fmt.Sprintf("variables.before == variables.now || request.userInfo.username == '%s' || %s && %s", o.account(), may("before"), may("now")),
					Reason:     new(metav1.StatusReasonForbidden),
					Message:    fmt.Sprintf("metadata.labels[%s]: only who may use the tenant can change it; its owners create projects", tenancy.TenantLabel),
				}},
			},
		},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: kind(admissionv1.GroupName, "ValidatingAdmissionPolicyBinding"), ObjectMeta: o.meta("", policyName),
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: policyName, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
		},
	}
}

// account is the name of the user that the server is in the cluster.
func (o Options) account() string {
	subject := o.Subject()
	if subject.Kind == rbacv1.ServiceAccountKind {
		return serviceaccount.MakeUsername(subject.Namespace, subject.Name)
	}
	return subject.Name
}
