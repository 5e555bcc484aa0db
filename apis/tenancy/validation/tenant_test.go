// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
	"github.com/stoa-project/stoa/apis/tenancy"
)

const rbacGroup = "rbac.authorization.k8s.io"

func alice() rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacGroup, Kind: "User", Name: "alice"}
}

func validTenant() *tenancy.Tenant {
	return &tenancy.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: "blue", ResourceVersion: "1"},
		Spec: tenancy.TenantSpec{
			DisplayName: "Team Blue",
			Owners: []rbacv1.Subject{
				alice(),
				{APIGroup: rbacGroup, Kind: "Group", Name: "system:blue"},
				{Kind: "ServiceAccount", Namespace: "ci", Name: "builder"},
			},
			Namespaces: tenancy.TenantNamespaces{
				Limit: ptr.To[int32](3), Labels: map[string]string{"team": "blue"},
				Annotations: map[string]string{"contact": "blue@example.com"},
			},
			Quota: tenancy.TenantQuota{Hard: amounts("requests.cpu", "10", "pods", "100", "count/jobs.batch", "5",
				"requests.example.com/gpu", "2", "hugepages-2Mi", "1Gi")},
			NamespaceDefaults: tenancy.NamespaceDefaults{
				Quota: tenancy.NamespaceQuota{Hard: amounts("requests.cpu", "2")},
				LimitRange: tenancy.NamespaceLimitRange{Items: []corev1.LimitRangeItem{{
					Type: "Container", Min: amounts("cpu", "10m"), Max: amounts("cpu", "2"),
					Default: amounts("cpu", "1"), DefaultRequest: amounts("cpu", "100m"),
				}}},
				RoleBindings: []tenancy.NamespaceRoleBinding{{
					Name: "edit", RoleRef: rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "ClusterRole", Name: "system:edit"},
					Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "default"}},
				}},
				NetworkIsolation: "Tenant",
			},
			Placement: tenancy.Placement{
				NodeSelector: map[string]string{"pool": "blue"},
				Tolerations: []corev1.Toleration{
					{Key: "pool", Value: "blue", Effect: "NoSchedule"}, {Operator: "Exists"},
				},
			},
		},
	}
}

// amounts makes a list of names and quantities in turn.
func amounts(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

type tenantCase struct {
	name   string
	change func(*tenancy.Tenant)
	want   []string
}

func invalidTenants() []tenantCase {
	owner := func(subject rbacv1.Subject) func(*tenancy.Tenant) {
		return func(o *tenancy.Tenant) { o.Spec.Owners[1] = subject }
	}
	toleration := func(toleration corev1.Toleration) func(*tenancy.Tenant) {
		return func(o *tenancy.Tenant) { o.Spec.Placement.Tolerations[1] = toleration }
	}
	limits := func(items ...corev1.LimitRangeItem) func(*tenancy.Tenant) {
		return func(o *tenancy.Tenant) { o.Spec.NamespaceDefaults.LimitRange.Items = items }
	}
	binding := func(change func(*tenancy.NamespaceRoleBinding)) func(*tenancy.Tenant) {
		return func(o *tenancy.Tenant) { change(&o.Spec.NamespaceDefaults.RoleBindings[0]) }
	}
	return []tenantCase{
		{"reserved annotation", func(o *tenancy.Tenant) { o.Annotations = map[string]string{"tenancy.stoa.dev/v1-fields": "{"} }, []string{
			`metadata.annotations[tenancy.stoa.dev/v1-fields]: Invalid value: "{": is reserved: in v1alpha1 it must hold what the server wrote there, in other versions it must not be set`}},
		{"owner unread", owner(tenancy.UnreadSubject("alice")), []string{
			`spec.owners[1]: Invalid value: "alice": must be "user:<name>", "group:<name>" or "serviceaccount:<namespace>:<name>"`}},
		{"owner empty text", owner(tenancy.UnreadSubject("")), []string{
			`spec.owners[1]: Required value: must be "user:<name>", "group:<name>" or "serviceaccount:<namespace>:<name>"`}},
		{"owner empty", owner(rbacv1.Subject{}), []string{
			"spec.owners[1].name: Required value", "spec.owners[1].kind: Required value"}},
		{"owner kind", owner(rbacv1.Subject{Kind: "Robot", Name: "r"}), []string{
			`spec.owners[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"`}},
		{"owner group of user", owner(rbacv1.Subject{Kind: "User", Name: "a", APIGroup: "x", Namespace: "n"}), []string{
			`spec.owners[1].apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"`,
			"spec.owners[1].namespace: Forbidden: may only be set for a ServiceAccount"}},
		{"owner account", owner(rbacv1.Subject{Kind: "ServiceAccount", Name: "b", APIGroup: "x"}), []string{
			`spec.owners[1].apiGroup: Unsupported value: "x": supported values: ""`,
			"spec.owners[1].namespace: Required value"}},
		{"owner account namespace", owner(rbacv1.Subject{Kind: "ServiceAccount", Name: "b", Namespace: "N"}), []string{
			`spec.owners[1].namespace: Invalid value: "N": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`}},
		{"reserved labels", func(o *tenancy.Tenant) {
			o.Spec.Namespaces.Labels = map[string]string{"kubernetes.io/metadata.name": "x", "tenancy.stoa.dev/tenant": "y"}
		}, []string{
			"spec.namespaces.labels[kubernetes.io/metadata.name]: Forbidden: is set by the server",
			"spec.namespaces.labels[tenancy.stoa.dev/tenant]: Forbidden: is set by the server"}},
		{"reserved annotations", func(o *tenancy.Tenant) {
			o.Spec.Namespaces.Annotations = map[string]string{"x.tenancy.stoa.dev/y": "z"}
		}, []string{"spec.namespaces.annotations[x.tenancy.stoa.dev/y]: Forbidden: is set by the server"}},
		{"quota", func(o *tenancy.Tenant) {
			o.Spec.Quota.Hard = amounts("requests.cpu", "-1", "pods", "1500m", "gpus", "1", "example.com/gpu", "500m")
		}, []string{
			`spec.quota.hard[example.com/gpu]: Invalid value: "500m": must be an integer`,
			`spec.quota.hard[gpus]: Invalid value: "gpus": must be a standard resource for quota`,
			`spec.quota.hard[pods]: Invalid value: "1500m": must be an integer`,
			`spec.quota.hard[requests.cpu]: Invalid value: "-1": must be greater than or equal to 0`}},
		{"namespace quota", func(o *tenancy.Tenant) {
			o.Spec.NamespaceDefaults.Quota.Hard = amounts("pods", "-1")
		}, []string{`spec.namespaceDefaults.quota.hard[pods]: Invalid value: "-1": must be greater than or equal to 0`}},
		{"limit types", limits(corev1.LimitRangeItem{Type: "Pod", Default: amounts("cpu", "1")},
			corev1.LimitRangeItem{Type: "Pod"}, corev1.LimitRangeItem{}, corev1.LimitRangeItem{Type: "PersistentVolumeClaim"},
			corev1.LimitRangeItem{Type: "Machine"}), []string{
			"spec.namespaceDefaults.limitRange.items[0].default: Forbidden: may not be specified when `type` is 'Pod'",
			`spec.namespaceDefaults.limitRange.items[1].type: Duplicate value: "Pod"`,
			"spec.namespaceDefaults.limitRange.items[2].type: Required value",
			"spec.namespaceDefaults.limitRange.items[3].min[storage]: Required value: either minimum or maximum storage value is required, but neither was provided",
			`spec.namespaceDefaults.limitRange.items[4].type: Invalid value: "Machine": must be a standard limit type or fully qualified`}},
		{"limit order", limits(corev1.LimitRangeItem{Type: "Container", Min: amounts("cpu", "3"), Max: amounts("cpu", "2"),
			MaxLimitRequestRatio: amounts("cpu", "500m")}), []string{
			`spec.namespaceDefaults.limitRange.items[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2`,
			`spec.namespaceDefaults.limitRange.items[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1`}},
		{"binding name", binding(func(b *tenancy.NamespaceRoleBinding) { b.Name = "" }), []string{
			"spec.namespaceDefaults.roleBindings[0].name: Required value"}},
		{"binding of the owners", binding(func(b *tenancy.NamespaceRoleBinding) { b.Name = "tenant-owners" }), []string{
			`spec.namespaceDefaults.roleBindings[0].name: Invalid value: "tenant-owners": is the binding of the owners`}},
		{"binding twice", func(o *tenancy.Tenant) {
			defaults := &o.Spec.NamespaceDefaults
			defaults.RoleBindings = append(defaults.RoleBindings, defaults.RoleBindings[0])
		}, []string{`spec.namespaceDefaults.roleBindings[1].name: Duplicate value: "edit"`}},
		{"binding role", binding(func(b *tenancy.NamespaceRoleBinding) {
			b.RoleRef = rbacv1.RoleRef{Kind: "Group"}
		}), []string{
			`spec.namespaceDefaults.roleBindings[0].roleRef.apiGroup: Unsupported value: "": supported values: "rbac.authorization.k8s.io"`,
			`spec.namespaceDefaults.roleBindings[0].roleRef.kind: Unsupported value: "Group": supported values: "Role", "ClusterRole"`,
			"spec.namespaceDefaults.roleBindings[0].roleRef.name: Required value"}},
		{"binding subject", binding(func(b *tenancy.NamespaceRoleBinding) { b.Subjects[0].Kind = "" }), []string{
			"spec.namespaceDefaults.roleBindings[0].subjects[0].kind: Required value"}},
		{"node selector", func(o *tenancy.Tenant) { o.Spec.Placement.NodeSelector = map[string]string{"pool": "-"} }, []string{
			`spec.placement.nodeSelector: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`}},
		{"toleration key", toleration(corev1.Toleration{}), []string{
			`spec.placement.tolerations[1].operator: Invalid value: "": operator must be Exists when ` + "`key`" + ` is empty, which means "match all values and all keys"`}},
		{"toleration effect", toleration(corev1.Toleration{Operator: "Exists", Effect: "Never", TolerationSeconds: ptr.To[int64](1)}), []string{
			"spec.placement.tolerations[1].effect: Invalid value: \"Never\": effect must be 'NoExecute' when `tolerationSeconds` is set",
			`spec.placement.tolerations[1].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`}},
		{"toleration operator", toleration(corev1.Toleration{Key: "a", Operator: "Like"}), []string{
			`spec.placement.tolerations[1].operator: Unsupported value: "Like": supported values: "Equal", "Exists"`}},
		{"toleration value", toleration(corev1.Toleration{Key: "a", Operator: "Exists", Value: "b"}), []string{
			"spec.placement.tolerations[1].value: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"}},
	}
}

func TestValidateTenant(t *testing.T) {
	t.Parallel()
	fielderrorstest.Compare(t, nil, ValidateTenant(validTenant()))
	fielderrorstest.Compare(t, nil, ValidateTenant(&tenancy.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "bare"}}))
	for _, tc := range invalidTenants() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := validTenant()
			tc.change(obj)
			fielderrorstest.Compare(t, tc.want, ValidateTenant(obj))
		})
	}
}

func TestValidateTenantTooMany(t *testing.T) {
	t.Parallel()
	obj := validTenant()
	obj.Spec.Placement.Tolerations = make([]corev1.Toleration, 65)
	obj.Spec.NamespaceDefaults.RoleBindings[0].Subjects = make([]rbacv1.Subject, 257)
	fielderrorstest.Compare(t, []string{
		"spec.namespaceDefaults.roleBindings[0].subjects: Too many: 257: must have at most 256 items",
		"spec.placement.tolerations: Too many: 65: must have at most 64 items",
	}, ValidateTenant(obj))
	obj = validTenant()
	obj.Spec.NamespaceDefaults.RoleBindings = make([]tenancy.NamespaceRoleBinding, 65)
	fielderrorstest.Compare(t, []string{
		"spec.namespaceDefaults.roleBindings: Too many: 65: must have at most 64 items",
	}, ValidateTenant(obj))
}

func invalidTenantStatus() []tenantCase {
	return []tenantCase{
		{"phase", func(o *tenancy.Tenant) { o.Status.Phase = "Terminating" }, []string{
			"status.phase: Invalid value: \"Terminating\": may only be 'Terminating' if `deletionTimestamp` is not empty"}},
		{"names", func(o *tenancy.Tenant) {
			o.Status.Namespaces = tenancy.TenantNamespacesStatus{Count: 0, Names: []string{"a"}}
		}, []string{"status.namespaces.count: Invalid value: 0: must not be less than the number of names"}},
		{"name", func(o *tenancy.Tenant) {
			o.Status.Namespaces = tenancy.TenantNamespacesStatus{Count: 1, Names: []string{strings.Repeat("a", 64)}}
		}, []string{`status.namespaces.names[0]: Invalid value: "` + strings.Repeat("a", 64) + `": must be no more than 63 characters`}},
		{"used", func(o *tenancy.Tenant) { o.Status.QuotaUsed = amounts("pods", "-1") }, []string{
			`status.quotaUsed[pods]: Invalid value: "-1": must be greater than or equal to 0`}},
		{"generation", func(o *tenancy.Tenant) { o.Status.ObservedGeneration = 1 }, []string{
			"status.observedGeneration: Invalid value: 1: must not decrease"}},
		{"condition", func(o *tenancy.Tenant) {
			o.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "Maybe", Reason: "Why", LastTransitionTime: metav1.Now()}}
		}, []string{`status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"`}},
	}
}

func TestValidateTenantStatus(t *testing.T) {
	t.Parallel()
	old := validTenant()
	old.Status = tenancy.TenantStatus{Phase: "Active", ObservedGeneration: 2}
	fielderrorstest.Compare(t, nil, ValidateTenantStatusUpdate(old.DeepCopy(), old))
	for _, tc := range invalidTenantStatus() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := old.DeepCopy()
			tc.change(obj)
			fielderrorstest.Compare(t, tc.want, ValidateTenantStatusUpdate(obj, old))
		})
	}
}

func TestWarningsOnTenant(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*tenancy.Tenant)
		want   []string
	}{
		{"none", func(*tenancy.Tenant) {}, nil},
		{"no owners", func(o *tenancy.Tenant) { o.Spec.Owners = nil }, []string{
			"spec.owners: the tenant has no owners, only administrators can use it"}},
		{"owner twice", func(o *tenancy.Tenant) { o.Spec.Owners = append(o.Spec.Owners, alice()) }, []string{
			"spec.owners[3]: the same owner as spec.owners[0]"}},
		{"one namespace more than all", func(o *tenancy.Tenant) {
			o.Spec.NamespaceDefaults.Quota.Hard = amounts("requests.cpu", "11")
		}, []string{"spec.namespaceDefaults.quota.hard[requests.cpu]: 11 is more than the tenant has in all, 10"}},
		{"less than used", func(o *tenancy.Tenant) { o.Status.QuotaUsed = amounts("pods", "101") }, []string{
			"spec.quota.hard[pods]: 100 is less than what is used already, 101"}},
		{"fewer namespaces than there are", func(o *tenancy.Tenant) { o.Status.Namespaces.Count = 4 }, []string{
			"spec.namespaces.limit: 3 is less than the number of namespaces there are, 4"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := validTenant()
			tc.change(obj)
			if diff := cmp.Diff(tc.want, WarningsOnTenant(obj, nil)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string(nil), WarningsOnTenant(obj, obj.DeepCopy())); diff != "" {
				t.Errorf("warnings of what was there before (-want +got):\n%s", diff)
			}
		})
	}
}
