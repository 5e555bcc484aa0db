// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/stoatest"
)

// newTenant makes a tenant that a user owns, who may make namespaces.
func newTenant(t *testing.T, owner string, change func(*tenancyv1.TenantSpec)) *tenancyv1.Tenant {
	t.Helper()
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: unique(t)}}
	tenant.Spec.Owners = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: owner}}
	change(&tenant.Spec)
	tenant, err := tenancyAs(t, api, "").TenancyV1().Tenants().Create(t.Context(), tenant, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: tenant.Name}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"namespaces", "pods"}},
	}}
	if _, err := admin(t).RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: tenant.Name}, Subjects: tenant.Spec.Owners}
	binding.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: tenant.Name}
	if _, err := admin(t).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the owner may list", mayList(as(t, owner), ""))
	return tenant
}

func namespaceOf(tenant, name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{tenancy.TenantLabel: tenant}}}
}

func (s podSpec) pod() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "p-"}, Spec: corev1.PodSpec{
		NodeName: s.node, NodeSelector: s.selector, Tolerations: s.tolerations, Containers: []corev1.Container{{Name: "c", Image: "i"}},
	}}
}

type podSpec struct {
	node        string
	selector    map[string]string
	tolerations []corev1.Toleration
}

func updateTenant(t *testing.T, name string, change func(*tenancyv1.TenantSpec)) {
	t.Helper()
	tenants := tenancyAs(t, api, "").TenancyV1().Tenants()
	await(t, "update of the tenant", func(ctx context.Context) (bool, error) {
		tenant, err := tenants.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		change(&tenant.Spec)
		_, err = tenants.Update(ctx, tenant, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// A namespace gets what its tenant says, gets it again, keeps what users add, and loses
// what the tenant says no more.
func TestTenantDefaults(t *testing.T) {
	t.Parallel()
	pods := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("5")}
	tenant := newTenant(t, "olga", func(spec *tenancyv1.TenantSpec) {
		spec.Namespaces.Labels = map[string]string{"team": "shop"}
		spec.NamespaceDefaults = tenancyv1.NamespaceDefaults{
			Quota: tenancyv1.NamespaceQuota{Hard: pods},
			LimitRange: tenancyv1.NamespaceLimitRange{Items: []corev1.LimitRangeItem{{
				Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
			}}},
			RoleBindings: []tenancyv1.NamespaceRoleBinding{{
				Name: "robots", RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "robot"}},
			}},
			NetworkIsolation: tenancyv1.NetworkIsolationTenant,
		}
	})
	name, client := unique(t)+"-a", admin(t)
	if _, err := as(t, "olga").CoreV1().Namespaces().Create(t.Context(), namespaceOf(tenant.Name, name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	complete := func(ctx context.Context) (bool, error) {
		quota, err := client.CoreV1().ResourceQuotas(name).Get(ctx, "tenant", metav1.GetOptions{})
		if err != nil || !quota.Spec.Hard.Pods().Equal(*pods.Pods()) {
			return false, nil
		}
		if _, err := client.CoreV1().LimitRanges(name).Get(ctx, "tenant", metav1.GetOptions{}); err != nil {
			return false, nil
		}
		policy, err := client.NetworkingV1().NetworkPolicies(name).Get(ctx, "tenant", metav1.GetOptions{})
		if err != nil || policy.Spec.Ingress[0].From[0].NamespaceSelector.MatchLabels[tenancy.TenantLabel] != tenant.Name {
			return false, nil
		}
		owners, err := client.RbacV1().RoleBindings(name).Get(ctx, "tenant-owners", metav1.GetOptions{})
		if err != nil || owners.RoleRef.Name != "admin" || owners.Subjects[0].Name != "olga" {
			return false, nil
		}
		robots, err := client.RbacV1().RoleBindings(name).Get(ctx, "robots", metav1.GetOptions{})
		if err != nil || robots.RoleRef.Name != "view" || robots.Subjects[0].Namespace != name {
			return false, nil
		}
		namespace, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		return err == nil && namespace.Labels["team"] == "shop", err
	}
	await(t, "the defaults", complete)

	add := []byte(`{"metadata": {"labels": {"mine": "yes"}}, "spec": {"hard": {"pods": "500", "services": "3"}}}`)
	if _, err := client.CoreV1().ResourceQuotas(name).Patch(t.Context(), "tenant", types.MergePatchType, add, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.RbacV1().RoleBindings(name).Delete(t.Context(), "robots", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the defaults are mended", complete)
	quota, err := client.CoreV1().ResourceQuotas(name).Get(t.Context(), "tenant", metav1.GetOptions{})
	if services := quota.Spec.Hard[corev1.ResourceServices]; err != nil || quota.Labels["mine"] != "yes" || services.Value() != 3 {
		t.Errorf("what a user added is gone: %+v, %v", quota, err)
	}

	// Who gives the label to what he makes keeps it.
	others := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "others", Labels: map[string]string{tenancy.TenantLabel: tenant.Name}}}
	if _, err := client.NetworkingV1().NetworkPolicies(name).Create(t.Context(), others, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	updateTenant(t, tenant.Name, func(spec *tenancyv1.TenantSpec) {
		spec.NamespaceDefaults.NetworkIsolation = tenancyv1.NetworkIsolationNone
		spec.NamespaceDefaults.RoleBindings[0].RoleRef.Name = "edit"
		spec.Namespaces.Labels = nil
	})
	await(t, "the new defaults", func(ctx context.Context) (bool, error) {
		_, err := client.NetworkingV1().NetworkPolicies(name).Get(ctx, "tenant", metav1.GetOptions{})
		robots, errOfRobots := client.RbacV1().RoleBindings(name).Get(ctx, "robots", metav1.GetOptions{})
		namespace, errOfNamespace := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		_, labelled := namespace.Labels["team"]
		return apierrors.IsNotFound(err) && errOfRobots == nil && robots.RoleRef.Name == "edit" && errOfNamespace == nil && !labelled, nil
	})
	if _, err := client.NetworkingV1().NetworkPolicies(name).Get(t.Context(), "others", metav1.GetOptions{}); err != nil {
		t.Errorf("what another one made with the label: %v", err)
	}

	tenants := tenancyAs(t, api, "").TenancyV1().Tenants()
	if err := tenants.Delete(t.Context(), tenant.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "what the deletion waits for", func(ctx context.Context) (bool, error) {
		now, err := tenants.Get(ctx, tenant.Name, metav1.GetOptions{})
		return err == nil && now.Status.Phase == tenancyv1.TenantTerminating && len(now.Status.Conditions) == 1 &&
			now.Status.Conditions[0].Message == "waits until these namespaces are deleted: "+name, err
	})
	if err := client.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the tenant", func(ctx context.Context) (bool, error) {
		_, err := tenants.Get(ctx, tenant.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

// A tenant never has more namespaces than it may, and may have as many again when some
// are gone.
func TestTenantLimit(t *testing.T) {
	t.Parallel()
	const limit, tries = 7, 100
	tenant := newTenant(t, "pam", func(spec *tenancyv1.TenantSpec) { spec.Namespaces.Limit = new(int32(limit)) })
	prefix, namespaces := unique(t), as(t, "pam").CoreV1().Namespaces()
	var all sync.WaitGroup
	var made atomic.Int32
	want := fmt.Sprintf("tenant %q has %d namespaces, of %d that it may have", tenant.Name, limit, limit)
	for i := range tries {
		all.Go(func() {
			_, err := namespaces.Create(t.Context(), namespaceOf(tenant.Name, fmt.Sprintf("%s-%d", prefix, i)), metav1.CreateOptions{})
			switch {
			case err == nil:
				made.Add(1)
			case !strings.HasSuffix(err.Error(), want):
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
	all.Wait()
	list, err := admin(t).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{LabelSelector: tenancy.TenantLabel + "=" + tenant.Name})
	if err != nil || made.Load() != limit || len(list.Items) != limit {
		t.Fatalf("%d made, %d there, %v", made.Load(), len(list.Items), err)
	}
	if err := namespaces.Delete(t.Context(), list.Items[0].Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "room for another one", func(ctx context.Context) (bool, error) {
		_, err := namespaces.Create(ctx, namespaceOf(tenant.Name, prefix+"-again"), metav1.CreateOptions{})
		if apierrors.IsForbidden(err) {
			return false, nil
		}
		return err == nil, err
	})
	tenants := tenancyAs(t, api, "").TenancyV1().Tenants()
	await(t, "the count", func(ctx context.Context) (bool, error) {
		now, err := tenants.Get(ctx, tenant.Name, metav1.GetOptions{})
		return err == nil && now.Status.Namespaces.Count == limit && slices.Contains(now.Status.Namespaces.Names, prefix+"-again"), err
	})
}

// Only who owns both tenants moves a namespace.
func TestTenantMoves(t *testing.T) {
	t.Parallel()
	here := newTenant(t, "quinn", func(*tenancyv1.TenantSpec) {})
	there := newTenant(t, "rob", func(*tenancyv1.TenantSpec) {})
	name := unique(t) + "-moves"
	quinn, rob := as(t, "quinn").CoreV1().Namespaces(), as(t, "rob").CoreV1().Namespaces()
	refused := func(what string, err error, want string) {
		t.Helper()
		if !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	foreign := fmt.Sprintf("metadata.labels[tenancy.stoa.dev/tenant]: user %q does not own tenant %q", "quinn", there.Name)
	_, err := quinn.Create(t.Context(), namespaceOf(there.Name, name), metav1.CreateOptions{})
	refused("another's tenant", err, foreign)
	_, err = quinn.Create(t.Context(), namespaceOf("nobodys", name), metav1.CreateOptions{})
	refused("no tenant", err, `metadata.labels[tenancy.stoa.dev/tenant]: user "quinn" does not own tenant "nobodys"`)
	if _, err := quinn.Create(t.Context(), namespaceOf(here.Name, name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	label := func(tenant string) []byte {
		return fmt.Appendf(nil, `{"metadata": {"labels": {"tenancy.stoa.dev/tenant": %s}}}`, tenant)
	}
	_, err = quinn.Patch(t.Context(), name, types.MergePatchType, label(`"`+there.Name+`"`), metav1.PatchOptions{})
	refused("away", err, foreign)
	mine := fmt.Sprintf("metadata.labels[tenancy.stoa.dev/tenant]: user %q does not own tenant %q", "rob", here.Name)
	_, err = rob.Patch(t.Context(), name, types.MergePatchType, label(`"`+there.Name+`"`), metav1.PatchOptions{})
	refused("to oneself", err, mine)
	_, err = rob.Patch(t.Context(), name, types.MergePatchType, label("null"), metav1.PatchOptions{})
	refused("to nobody", err, mine)
	updateTenant(t, there.Name, func(spec *tenancyv1.TenantSpec) {
		spec.Owners = append(spec.Owners, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "quinn"})
	})
	if _, err = quinn.Patch(t.Context(), name, types.MergePatchType, label(`"`+there.Name+`"`), metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
}

// The members of a suspended tenant read, and write nothing.
func TestTenantSuspended(t *testing.T) {
	t.Parallel()
	tenant := newTenant(t, "sue", func(*tenancyv1.TenantSpec) {})
	name, sue := unique(t)+"-s", as(t, "sue")
	if _, err := sue.CoreV1().Namespaces().Create(t.Context(), namespaceOf(tenant.Name, name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := podSpec{}.pod()
	pod, err := sue.CoreV1().Pods(name).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	updateTenant(t, tenant.Name, func(spec *tenancyv1.TenantSpec) { spec.Suspended = true })
	want := fmt.Sprintf("tenant %q is suspended: nothing can be changed in its namespaces", tenant.Name)
	await(t, "the suspension", func(ctx context.Context) (bool, error) {
		_, err := sue.CoreV1().Pods(name).Create(ctx, podSpec{}.pod(), metav1.CreateOptions{})
		if err != nil && !strings.HasSuffix(err.Error(), want) {
			return false, err
		}
		return err != nil, nil
	})
	for what, err := range map[string]error{
		"delete":               sue.CoreV1().Pods(name).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}),
		"delete collection":    sue.CoreV1().Pods(name).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}),
		"delete the namespace": sue.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}),
		"another namespace":    second(sue.CoreV1().Namespaces().Create(t.Context(), namespaceOf(tenant.Name, name+"2"), metav1.CreateOptions{})),
	} {
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := sue.CoreV1().Pods(name).Get(t.Context(), pod.Name, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if err := admin(t).CoreV1().Pods(name).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Errorf("an administrator: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// Pods of a tenant run on its nodes, and on nobody else's.
func TestTenantPlacement(t *testing.T) {
	t.Parallel()
	dedicated := func(tenant string) corev1.Toleration {
		return corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: tenant, Effect: corev1.TaintEffectNoSchedule}
	}
	place := func(value string) func(*tenancyv1.TenantSpec) {
		return func(spec *tenancyv1.TenantSpec) {
			spec.Placement = tenancyv1.Placement{NodeSelector: map[string]string{"dedicated": value}, Tolerations: []corev1.Toleration{dedicated(value)}}
		}
	}
	tenant := newTenant(t, "tess", place("tess"))
	newTenant(t, "uma", place("uma"))
	name, tess := unique(t)+"-p", as(t, "tess")
	if _, err := tess.CoreV1().Namespaces().Create(t.Context(), namespaceOf(tenant.Name, name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, node := range []struct{ name, label string }{{name + "-mine", "tess"}, {name + "-other", "uma"}} {
		obj := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.name, Labels: map[string]string{"dedicated": node.label}}}
		if _, err := admin(t).CoreV1().Nodes().Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(spec podSpec) (*corev1.Pod, error) {
		return tess.CoreV1().Pods(name).Create(t.Context(), spec.pod(), metav1.CreateOptions{})
	}
	pod, err := run(podSpec{node: name + "-mine", selector: map[string]string{"disk": "ssd"}})
	if err != nil || pod.Spec.NodeSelector["dedicated"] != "tess" || pod.Spec.NodeSelector["disk"] != "ssd" || !slices.Contains(pod.Spec.Tolerations, dedicated("tess")) {
		t.Fatalf("%+v, %v", pod.Spec, err)
	}
	for what, test := range map[string]struct {
		spec podSpec
		want string
	}{
		"another selector": {podSpec{selector: map[string]string{"dedicated": "uma"}}, fmt.Sprintf("spec.nodeSelector[dedicated]: pods of tenant %q run on nodes with dedicated=tess, not \"uma\"", tenant.Name)},
		"another's node":   {podSpec{node: name + "-other"}, fmt.Sprintf("spec.nodeName: pods of tenant %q run on nodes with dedicated=tess, which %q is not", tenant.Name, name+"-other")},
		"another's taint":  {podSpec{tolerations: []corev1.Toleration{dedicated("uma")}}, "spec.tolerations[0]: tolerates a taint of the nodes that are kept for another tenant"},
		"every taint":      {podSpec{tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}}, "spec.tolerations[0]: tolerates a taint of the nodes that are kept for another tenant"},
	} {
		if _, err := run(test.spec); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", what, err, test.want)
		}
	}
	more := []byte(`[{"op": "add", "path": "/spec/tolerations/-", "value": {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}}]`)
	if _, err := tess.CoreV1().Pods(name).Patch(t.Context(), pod.Name, types.JSONPatchType, more, metav1.PatchOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a toleration that is added later: %v", err)
	}
}

// Without the plugin tenants are objects like others: nobody is refused anything for them.
func TestTenantsWithoutThePlugin(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags("--disable-admission-plugins=Tenancy,ServiceAccount"))
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "still"}}
	tenant.Spec = tenancyv1.TenantSpec{
		Suspended: true, Namespaces: tenancyv1.TenantNamespaces{Limit: new(int32(0))},
		Placement: tenancyv1.Placement{NodeSelector: map[string]string{"dedicated": "still"}},
	}
	if _, err := tenancyAs(t, server, "").TenancyV1().Tenants().Create(t.Context(), tenant, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	client := clientFor(t, server.Config())
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespaceOf("still", "full"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod, err := client.CoreV1().Pods("full").Create(t.Context(), podSpec{node: "anywhere"}.pod(), metav1.CreateOptions{})
	if err != nil || len(pod.Spec.NodeSelector) > 0 {
		t.Errorf("%v, %v", pod.Spec.NodeSelector, err)
	}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespaceOf("nobodys", "other"), metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
}

// Who may write tenants gives away by them what he holds everywhere, and no more: their
// bindings are made by a controller that may do everything.
func TestTenantsGiveNoMore(t *testing.T) {
	t.Parallel()
	tenant := newTenant(t, "owner-"+unique(t), func(spec *tenancyv1.TenantSpec) {
		spec.NamespaceDefaults.RoleBindings = []tenancyv1.NamespaceRoleBinding{{Name: "ops", RoleRef: clusterRole("cluster-admin"), Subjects: []rbacv1.Subject{userOf("ops")}}}
	})
	jane := "jane-" + tenant.Name
	grantEverywhere(t, jane, []rbacv1.PolicyRule{
		{APIGroups: []string{tenancy.GroupName}, Resources: []string{"tenants"}, Verbs: []string{"get", "create", "patch", "update"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
	})
	lister := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: jane + "-lister"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}}
	if _, err := admin(t).RbacV1().ClusterRoles().Create(t.Context(), lister, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "her own permission", mayList(as(t, jane), ""))
	tenants := tenancyAs(t, api, jane).TenancyV1().Tenants()
	const lacks = `" is forbidden: user "%s" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:`
	refused := func(name, of string, err error) {
		t.Helper()
		want := fmt.Sprintf(`tenants.tenancy.stoa.dev "`+of+lacks, jane)
		if !apierrors.IsForbidden(err) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	ops := `{"name":"ops","roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"ops"}`
	for name, test := range map[string]struct {
		patch string
		more  bool
	}{
		"a label":        {patch: `{"metadata":{"labels":{"a":"b"}}}`},
		"a name":         {patch: `{"spec":{"displayName":"One"}}`},
		"as it was":      {patch: `{"spec":{"namespaceDefaults":{"roleBindings":[` + ops + `]}]}}}`},
		"what she holds": {patch: `{"spec":{"namespaceDefaults":{"roleBindings":[` + ops + `]},` + bindingTo("lister", "ClusterRole", lister.Name, jane) + `]}}}`},
		"a role":         {patch: `{"spec":{"namespaceDefaults":{"roleBindings":[` + ops + `]},` + bindingTo("me", "ClusterRole", "edit", jane) + `]}}}`, more: true},
		"a local role":   {patch: `{"spec":{"namespaceDefaults":{"roleBindings":[` + ops + `]},` + bindingTo("me", "Role", "any", jane) + `]}}}`, more: true},
		"a subject":      {patch: `{"spec":{"namespaceDefaults":{"roleBindings":[` + ops + `,{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"` + jane + `"}]}]}}}`, more: true},
		"nobody named":   {patch: `{"spec":{"namespaceDefaults":{"roleBindings":[{"name":"ops","roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}}]}}}`, more: true},
		"an owner":       {patch: `{"spec":{"owners":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"` + jane + `"}]}}`, more: true},
	} {
		_, err := tenants.Patch(t.Context(), tenant.Name, types.MergePatchType, []byte(test.patch), metav1.PatchOptions{})
		if test.more {
			refused(name, tenant.Name, err)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: tenant.Name + "-own"}}
	own.Spec.Owners = []rbacv1.Subject{userOf(jane)}
	refused("create", own.Name, second(tenants.Create(t.Context(), own, metav1.CreateOptions{})))
	alpha := `{"apiVersion":"tenancy.stoa.dev/v1alpha1","kind":"Tenant","metadata":{"name":"` + own.Name + `"},"spec":{"owners":["user:` + jane + `"]}}`
	_, err := tenancyAs(t, api, jane).TenancyV1alpha1().Tenants().Patch(t.Context(), own.Name, types.ApplyPatchType, []byte(alpha), metav1.PatchOptions{FieldManager: "jane"})
	refused("apply", own.Name, err)
	grantEverywhere(t, jane+"-binder", []rbacv1.PolicyRule{
		{APIGroups: []string{tenancy.GroupName}, Resources: []string{"tenants"}, Verbs: []string{"create"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"admin"}, Verbs: []string{"bind"}},
	})
	await(t, "who may bind the role of owners", func(ctx context.Context) (bool, error) {
		_, err := tenancyAs(t, api, jane+"-binder").TenancyV1().Tenants().Create(ctx, own, metav1.CreateOptions{})
		if apierrors.IsForbidden(err) {
			return false, nil
		}
		return err == nil, err
	})
}

func clusterRole(name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
}

func userOf(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// bindingTo is a role binding of a tenant.
func bindingTo(name, kind, role, user string) string {
	return `{"name":"` + name + `","roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"` + kind + `","name":"` + role +
		`"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"` + user + `"}]}`
}
