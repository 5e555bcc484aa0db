// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/stoatest"
)

// behindServer is a server behind a cluster, with what it takes to start it again.
type behindServer struct {
	*stoatest.Server

	host                  *hostCluster
	dir, port, kubeconfig string
	flags                 []string
}

// newBehind starts a server behind a cluster with these flags, which sends requests to it.
func newBehind(t *testing.T, flags ...string) (*hostCluster, *behindServer) {
	t.Helper()
	h := newHost(t, flags...)
	b := &behindServer{host: h, dir: filepath.Join(t.TempDir(), "behind"), port: freePort(t), kubeconfig: h.kubeconfig(t)}
	o := h.options(t, b.port)
	h.install(t, o)
	b.start(t)
	h.wait(t, o)
	return h, b
}

func (b *behindServer) start(t *testing.T) {
	t.Helper()
	b.Server = startBehind(t, b.dir, b.port, b.kubeconfig, stoatest.WithFlags(b.flags...))
}

func (h *hostCluster) admin(t *testing.T) kubernetes.Interface { return impersonate(t, h.Server, "") }

func (h *hostCluster) namespace(t *testing.T, name, tenant string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if tenant != "" {
		namespace.Labels = map[string]string{"tenancy.stoa.dev/tenant": tenant}
	}
	if _, err := h.admin(t).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestAggregatedTenants has a tenant give the host's namespaces what it says, mend it, and
// count them.
func TestAggregatedTenants(t *testing.T) {
	t.Parallel()
	h, _ := newBehind(t)
	root, cluster := tenancyAs(t, h.Server, "").TenancyV1().Tenants(), h.admin(t)
	one := tenant("blue")
	one.Spec.Namespaces.Labels = map[string]string{"color": "blue"}
	one.Spec.NamespaceDefaults.Quota.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("3")}
	one.Spec.NamespaceDefaults.LimitRange.Items = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}
	one.Spec.NamespaceDefaults.NetworkIsolation = tenancyv1.NetworkIsolationTenant
	h.namespace(t, "before", "blue")
	if _, err := root.Create(t.Context(), one, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.namespace(t, "after", "blue")
	given := func(namespace string) string {
		found, err := cluster.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
		if err != nil || found.Labels["color"] != "blue" {
			return "no label: " + text(err)
		}
		_, quota := cluster.CoreV1().ResourceQuotas(namespace).Get(t.Context(), "tenant", metav1.GetOptions{})
		_, limits := cluster.CoreV1().LimitRanges(namespace).Get(t.Context(), "tenant", metav1.GetOptions{})
		_, network := cluster.NetworkingV1().NetworkPolicies(namespace).Get(t.Context(), "tenant", metav1.GetOptions{})
		_, binding := cluster.RbacV1().RoleBindings(namespace).Get(t.Context(), "tenant-owners", metav1.GetOptions{})
		return text(quota) + text(limits) + text(network) + text(binding)
	}
	for _, namespace := range []string{"before", "after"} {
		eventually(t, func() string { return given(namespace) })
		await(t, "the owner", mayList(impersonate(t, h.Server, "jane"), namespace))
	}
	if err := cluster.RbacV1().RoleBindings("after").Delete(t.Context(), "tenant-owners", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { return given("after") })
	counts := func(want string) {
		t.Helper()
		eventually(t, func() string {
			now, err := root.Get(t.Context(), "blue", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if got := fmt.Sprint(now.Status.Namespaces.Count, " ", strings.Join(now.Status.Namespaces.Names, ",")); got != want {
				return got
			}
			return ""
		})
	}
	counts("2 after,before")
	if err := cluster.CoreV1().Namespaces().Delete(t.Context(), "before", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	counts("1 after")
	if err := root.Delete(t.Context(), "blue", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		now, err := root.Get(t.Context(), "blue", metav1.GetOptions{})
		if err != nil || now.Status.Phase != tenancyv1.TenantTerminating {
			return fmt.Sprint("a tenant with namespaces: ", now, err)
		}
		return ""
	})
	if err := cluster.CoreV1().Namespaces().Delete(t.Context(), "after", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if _, err := root.Get(t.Context(), "blue", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return "the tenant is still there: " + text(err)
		}
		return ""
	})
}

// bindEverywhere gives a user a cluster role with rules.
func (h *hostCluster) bindEverywhere(t *testing.T, user string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	roles := h.admin(t).RbacV1()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "rules-of-" + user}, Rules: rules}
	if _, err := roles.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}}
	binding.Subjects = []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	if _, err := roles.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestAggregatedLabel has the host itself keep the label that gives namespaces to tenants.
func TestAggregatedLabel(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t)
	b.Stop()
	writes := rbacv1.PolicyRule{Verbs: []string{"create", "update", "patch"}, APIGroups: []string{""}, Resources: []string{"namespaces", "namespaces/status"}}
	h.bindEverywhere(t, "mallory", writes)
	h.bindEverywhere(t, "ursula", writes, rbacv1.PolicyRule{Verbs: []string{"use"}, APIGroups: []string{"tenancy.stoa.dev"}, Resources: []string{"tenants"}, ResourceNames: []string{"blue"}})
	h.namespace(t, "free", "")
	label := func(user, namespace, tenant string, dry ...string) error {
		patch := []byte(`{"metadata":{"labels":{"tenancy.stoa.dev/tenant":` + tenant + `}}}`)
		_, err := impersonate(t, h.Server, user).CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, patch, metav1.PatchOptions{DryRun: dry})
		return err
	}
	eventually(t, func() string { // the policy takes a moment, and so do roles
		if err := label("mallory", "free", `"blue"`, metav1.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "only who may use the tenant can change it") {
			return "mallory: " + text(err)
		}
		return ""
	})
	h.namespace(t, "taken", "green")
	for name, tc := range map[string]struct {
		user, namespace, tenant string
		allowed                 bool
	}{
		"gives to a tenant": {"mallory", "free", `"green"`, false}, "takes from a tenant": {"mallory", "taken", "null", false},
		"nothing changes": {"mallory", "taken", `"green"`, true}, "uses another": {"ursula", "free", `"green"`, false},
		"gives to one without a name": {"mallory", "free", `""`, false}, "moves it": {"ursula", "taken", `"blue"`, false}, "uses it": {"ursula", "free", `"blue"`, true},
	} {
		if err := label(tc.user, tc.namespace, tc.tenant); (err == nil) != tc.allowed || err != nil && !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	part := []byte(`{"metadata":{"labels":{"tenancy.stoa.dev/suspended":"green"}}}`)
	_, err := impersonate(t, h.Server, "mallory").CoreV1().Namespaces().Patch(t.Context(), "taken", types.MergePatchType, part, metav1.PatchOptions{}, "status")
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "only the server changes it") {
		t.Errorf("by a part of it: %v", err)
	}
}

// TestAggregatedSuspension has the host itself stop what is written in the namespaces of a
// suspended tenant, but for what keeps running what runs.
func TestAggregatedSuspension(t *testing.T) {
	t.Parallel()
	h, _ := newBehind(t)
	tenants := tenancyAs(t, h.Server, "").TenancyV1().Tenants()
	one := tenant("blue")
	one.Spec.Placement.NodeSelector = map[string]string{"pool": "blue"}
	if _, err := tenants.Create(t.Context(), one, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h.namespace(t, "blue", "blue")
	jane := impersonate(t, h.Server, "jane")
	write := func(client kubernetes.Interface) error {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}}
		_, err := client.CoreV1().ConfigMaps("blue").Create(t.Context(), object, metav1.CreateOptions{})
		return err
	}
	eventually(t, func() string { return text(write(jane)) })
	suspend := func(suspended string) {
		t.Helper()
		if _, err := tenants.Patch(t.Context(), "blue", types.MergePatchType, []byte(`{"spec":{"suspended":`+suspended+`}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	suspend("true")
	eventually(t, func() string {
		if err := write(jane); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "the tenant is suspended: nothing can be changed in its namespaces") {
			return "she writes: " + text(err)
		}
		return ""
	})
	if err := jane.CoreV1().ConfigMaps("blue").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("she deletes: %v", err)
	}
	if err := jane.CoreV1().ServiceAccounts("blue").Delete(t.Context(), "default", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("she deletes an account: %v", err)
	}
	if err := write(h.admin(t)); err != nil {
		t.Errorf("who may use the tenant: %v", err)
	}
	h.bindEverywhere(t, "jane", rbacv1.PolicyRule{Verbs: []string{"create"}, APIGroups: []string{""}, Resources: []string{"nodes"}})
	eventually(t, func() string {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "machine"}}
		if _, err := jane.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
			return "what is in no namespace: " + text(err)
		}
		return ""
	})
	if _, err := jane.CoreV1().ConfigMaps("blue").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("she reads: %v", err)
	}
	suspend("false")
	eventually(t, func() string { return text(write(jane)) })
	namespace, err := h.admin(t).CoreV1().Namespaces().Get(t.Context(), "blue", metav1.GetOptions{})
	if _, marked := namespace.Labels["tenancy.stoa.dev/suspended"]; marked || err != nil {
		t.Errorf("the label is left: %v, %v", namespace.Labels, err)
	}
	eventually(t, func() string {
		now, err := tenants.Get(t.Context(), "blue", metav1.GetOptions{})
		if err != nil || len(now.Status.Conditions) > 0 {
			return fmt.Sprint("the tenant tells ", now.Status.Conditions, err)
		}
		return ""
	})
}

// TestAggregatedGrants passes permissions of the host on, no more than the grantor has
// there, and takes them back at their time, also if no server runs then.
func TestAggregatedGrants(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t)
	h.namespace(t, "shared", "")
	if _, err := h.admin(t).RbacV1().RoleBindings("shared").Create(t.Context(), bindingOf("edit-grace", "edit", "grace"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	grace, root := tenancyAs(t, h.Server, "grace").TenancyV1().Grants("shared"), tenancyAs(t, h.Server, "")
	heidi := impersonate(t, h.Server, "heidi")
	forged := grantOf("view", "heidi")
	forged.Status.GrantedBy = &authenticationv1.UserInfo{Username: "admin", Groups: []string{"system:masters"}}
	var made *tenancyv1.Grant
	eventually(t, func() (failure string) { // aggregated roles and the index take a moment
		var err error
		made, err = grace.Create(t.Context(), forged, metav1.CreateOptions{})
		return text(err)
	})
	if made.Status.GrantedBy == nil || made.Status.GrantedBy.Username != "grace" {
		t.Fatalf("made by %+v", made.Status.GrantedBy)
	}
	inPhase(t, root, "shared", made.Name, tenancyv1.GrantActive)
	await(t, "the permission", mayList(heidi, "shared"))
	bindings := h.admin(t).RbacV1().RoleBindings("shared")
	binding := func(name string) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			_, err := bindings.Get(ctx, "grant:"+name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return false, nil
			}
			return err == nil, err
		}
	}
	if err := bindings.Delete(t.Context(), "grant:"+made.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the binding comes back", binding(made.Name))

	more := grantOf("admin", "heidi")
	if _, err := grace.Create(t.Context(), more, metav1.CreateOptions{}); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `user "grace" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held`) {
		t.Errorf("more than she has: %v", err)
	}
	rules := grantOf("", "heidi")
	rules.Name, rules.Spec.Rules = "rules", []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}}}
	if _, err := grace.Create(t.Context(), rules, metav1.CreateOptions{}); err != nil {
		t.Errorf("rules: %v", err)
	}
	inPhase(t, root, "shared", "rules", tenancyv1.GrantActive)

	if err := grace.Delete(t.Context(), made.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the permission is taken back", func(ctx context.Context) (bool, error) {
		may, err := mayList(heidi, "shared")(ctx)
		return !may, err
	})

	short := grantOf("view", "ivan")
	short.Spec.Duration = &metav1.Duration{Duration: 2 * time.Second}
	if _, err := grace.Create(t.Context(), short, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the permission", mayList(impersonate(t, h.Server, "ivan"), "shared"))
	ended := inPhase(t, root, "shared", short.Name, tenancyv1.GrantExpired)
	mayNot(t, "after its time", impersonate(t, h.Server, "ivan"), "shared")
	if there, err := binding(short.Name)(t.Context()); there || err != nil {
		t.Errorf("the binding is there: %t, %v", there, err)
	}
	if now := time.Now(); now.Before(ended.Status.ExpiresAt.Time) {
		t.Errorf("it ended before %v", ended.Status.ExpiresAt)
	}

	last := grantOf("view", "judy")
	last.Spec.Duration = &metav1.Duration{Duration: 3 * time.Second}
	if _, err := grace.Create(t.Context(), last, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	end := inPhase(t, root, "shared", last.Name, tenancyv1.GrantActive).Status.ExpiresAt
	await(t, "the binding", binding(last.Name))
	b.Stop()
	await(t, "its time", func(context.Context) (bool, error) { return time.Now().After(end.Time), nil })
	b.start(t)
	inPhase(t, root, "shared", last.Name, tenancyv1.GrantExpired)
	mayNot(t, "after a restart", impersonate(t, h.Server, "judy"), "shared")
}

// TestAggregatedEscalation has somebody give away by a grant what the host gives him for a
// time, and by a tenant what it does not.
func TestAggregatedEscalation(t *testing.T) {
	t.Parallel()
	h, _ := newBehind(t)
	h.namespace(t, "shared", "")
	root := tenancyAs(t, h.Server, "")
	soon := grantOf("edit", "eve")
	soon.Spec.ExpiresAt = new(metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second)))
	if _, err := root.TenancyV1().Grants("shared").Create(t.Context(), soon, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "one"}}
	if _, err := root.TenancyV1().Tenants().Create(t.Context(), tenant, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "eve"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{tenancy.GroupName}, Resources: []string{"tenants"}, Verbs: []string{"get", "patch"}},
	}}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: role.ObjectMeta, RoleRef: clusterRole("eve"), Subjects: []rbacv1.Subject{userOf("eve")}}
	if _, err := h.admin(t).RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.admin(t).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eve := tenancyAs(t, h.Server, "eve").TenancyV1()
	for what, want := range map[string]string{
		`"edit-eve" is forbidden`: `user "eve" holds this only until ` + soon.Spec.ExpiresAt.UTC().Format(time.RFC3339),
		`"one" is forbidden`:      `user "eve" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held`,
	} {
		eventually(t, func() (failure string) { // the host's authorizer and the informers take a moment
			var err error
			if strings.HasPrefix(what, `"one"`) {
				patch := []byte(`{"spec":{"owners":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"eve"}]}}`)
				_, err = eve.Tenants().Patch(t.Context(), "one", types.MergePatchType, patch, metav1.PatchOptions{})
			} else {
				_, err = eve.Grants("shared").Create(t.Context(), grantOf("edit", "eve"), metav1.CreateOptions{})
			}
			if err == nil || !strings.Contains(err.Error(), what+": "+want) {
				return fmt.Sprintf("%v, want %s: %s", err, what, want)
			}
			return ""
		})
	}
}
