// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/stoatest"
)

// tenancyAs returns a client of the group tenancy.stoa.dev for a user; "" is the
// administrator.
func tenancyAs(t *testing.T, server *stoatest.Server, user string) versioned.Interface {
	t.Helper()
	config := rest.CopyConfig(server.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	client, err := versioned.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func grantOf(role, to string) *tenancyv1.Grant {
	g := &tenancyv1.Grant{ObjectMeta: metav1.ObjectMeta{Name: role + "-" + to}}
	g.Spec.Subject = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: to}
	if role != "" {
		g.Spec.RoleRef = &rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	}
	return g
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func(context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, holds); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// inPhase waits until a grant is in a phase, and returns it.
func inPhase(t *testing.T, client versioned.Interface, namespace, name string, phase tenancyv1.GrantPhase) *tenancyv1.Grant {
	t.Helper()
	var grant *tenancyv1.Grant
	await(t, "grant "+name+" "+string(phase), func(ctx context.Context) (done bool, err error) {
		grant, err = client.TenancyV1().Grants(namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && grant.Status.Phase == phase, err
	})
	return grant
}

// mayList says whether a user may list pods.
func mayList(user kubernetes.Interface, namespace string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		_, err := user.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(err) {
			return false, nil
		}
		return err == nil, err
	}
}

func mayNot(t *testing.T, what string, user kubernetes.Interface, namespace string) {
	t.Helper()
	if may, err := mayList(user, namespace)(t.Context()); may || err != nil {
		t.Errorf("%s: may list %t, %v", what, may, err)
	}
}

// Who has a permission passes it on, no more than that, and takes it back.
func TestGrants(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	bind(t, namespace, "edit", "grace")
	grace, root := tenancyAs(t, api, "grace").TenancyV1().Grants(namespace), tenancyAs(t, api, "")
	heidi := as(t, "heidi")
	await(t, "her own permission", mayList(as(t, "grace"), namespace))
	mayNot(t, "before", heidi, namespace)

	forged := grantOf("view", "heidi")
	forged.Status.GrantedBy = &authenticationv1.UserInfo{Username: "admin", Groups: []string{"system:masters"}}
	forged.Spec.Duration = &metav1.Duration{Duration: time.Hour}
	made, err := grace.Create(t.Context(), forged, metav1.CreateOptions{})
	if err != nil || made.Status.GrantedBy == nil || made.Status.GrantedBy.Username != "grace" {
		t.Fatalf("made by %+v, %v", made.Status.GrantedBy, err)
	}
	active := inPhase(t, root, namespace, made.Name, tenancyv1.GrantActive)
	await(t, "the permission", mayList(heidi, namespace))
	if end := active.Status.ExpiresAt; end == nil || !end.Time.Equal(active.Status.ActivatedAt.Add(time.Hour)) {
		t.Errorf("active from %v to %v", active.Status.ActivatedAt, end)
	}
	const name = "grant:view-heidi"
	bindings := admin(t).RbacV1().RoleBindings(namespace)
	if err := bindings.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the binding comes back", func(ctx context.Context) (bool, error) {
		_, err := bindings.Get(ctx, name, metav1.GetOptions{})
		return err == nil, nil
	})
	await(t, "the permission comes back", mayList(heidi, namespace))

	foreground := metav1.DeletePropagationForeground
	if err := grace.Delete(t.Context(), made.Name, metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	await(t, "the grant goes", func(ctx context.Context) (bool, error) {
		_, err := grace.Get(ctx, made.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	await(t, "the permission is taken back", func(ctx context.Context) (bool, error) {
		may, err := mayList(heidi, namespace)(ctx)
		return !may, err
	})
	await(t, "events tell of it", func(ctx context.Context) (bool, error) {
		events, err := admin(t).EventsV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "regarding.kind=Grant"})
		if err != nil {
			return false, err
		}
		told := map[string]string{}
		for _, e := range events.Items {
			told[e.Reason] = e.Note
		}
		return told["Activated"] == "ClusterRole view of "+namespace+" is granted to User heidi by grace, until "+active.Status.ExpiresAt.UTC().Format(time.RFC3339) &&
			told["Revoked"] == "ClusterRole view is taken back from User heidi", nil
	})
}

func TestGrantsOfMoreAreRefused(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	bind(t, namespace, "edit", "ivan")
	ivan := tenancyAs(t, api, "ivan").TenancyV1().Grants(namespace)
	await(t, "his own permission", mayList(as(t, "ivan"), namespace))
	secrets := grantOf("", "heidi")
	secrets.Name, secrets.Spec.Rules = "rules", []rbacv1.PolicyRule{{Verbs: []string{"bind"}, APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"roles"}}}
	for name, test := range map[string]struct {
		grant *tenancyv1.Grant
		want  string
	}{
		"rules": {secrets, `grants.tenancy.stoa.dev "rules" is forbidden: user "ivan" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:["rbac.authorization.k8s.io"], Resources:["roles"], Verbs:["bind"]}`},
		"a role": {grantOf("cluster-admin", "heidi"), `grants.tenancy.stoa.dev "cluster-admin-heidi" is forbidden: user "ivan" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:["*"], Resources:["*"], Verbs:["*"]}
{NonResourceURLs:["*"], Verbs:["*"]}`},
		"no role": {grantOf("nobody-made-this", "heidi"), `clusterrole.rbac.authorization.k8s.io "nobody-made-this" not found`},
	} {
		if _, err := ivan.Create(t.Context(), test.grant, metav1.CreateOptions{}); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	rules := grantOf("", "heidi")
	rules.Name, rules.Spec.Rules = "pods", []rbacv1.PolicyRule{{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	if _, err := ivan.Create(t.Context(), rules, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "rules are granted", mayList(as(t, "heidi"), namespace))
	// A name that is taken is told.
	foreign := bindingOf("grant:view-heidi", "view", "somebody")
	if _, err := admin(t).RbacV1().RoleBindings(namespace).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := ivan.Create(t.Context(), grantOf("view", "heidi"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "a name that is taken", func(ctx context.Context) (bool, error) {
		g, err := ivan.Get(ctx, "view-heidi", metav1.GetOptions{})
		return err == nil && len(g.Status.Conditions) == 1 && g.Status.Conditions[0].Reason == "NameTaken", err
	})
}

// A grant ends at its time.
func TestGrantsExpire(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	root := tenancyAs(t, api, "")
	judy := as(t, "judy")
	soon := grantOf("view", "judy")
	soon.Spec.Duration = &metav1.Duration{Duration: time.Hour}
	soon, err := root.TenancyV1().Grants(namespace).Create(t.Context(), soon, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	soon = inPhase(t, root, namespace, soon.Name, tenancyv1.GrantActive)
	await(t, "the permission", mayList(judy, namespace))
	await(t, "it is made shorter", func(ctx context.Context) (bool, error) {
		soon, err := root.TenancyV1().Grants(namespace).Get(ctx, soon.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		soon.Spec.Duration = &metav1.Duration{Duration: time.Since(soon.Status.ActivatedAt.Time) + 2*time.Second}
		_, err = root.TenancyV1().Grants(namespace).Update(ctx, soon, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			return false, nil
		}
		return err == nil, err
	})
	soon = inPhase(t, root, namespace, soon.Name, tenancyv1.GrantExpired)
	if left := time.Until(soon.Status.ExpiresAt.Time); left > 0 {
		t.Errorf("expired %v too soon", left)
	}
	mayNot(t, "after the end", judy, namespace)
	if _, err := admin(t).RbacV1().RoleBindings(namespace).Get(t.Context(), "grant:view-judy", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the binding is still there: %v", err)
	}

	past := grantOf("view", "judy")
	past.Name, past.Spec.ExpiresAt = "past", new(metav1.NewTime(time.Now().Add(-time.Minute)))
	if _, err := root.TenancyV1().Grants(namespace).Create(t.Context(), past, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	inPhase(t, root, namespace, "past", tenancyv1.GrantExpired)
}

// What somebody holds for a time he gives away for no longer: not by a grant, not by a
// binding, not by a role. That he does not take the end off his own binding follows.
func TestGrantsForATime(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	soon := grantOf("admin", "eve")
	soon.Spec.ExpiresAt = new(metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second)))
	if _, err := tenancyAs(t, api, "").TenancyV1().Grants(namespace).Create(t.Context(), soon, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eve, grants := as(t, "eve"), tenancyAs(t, api, "eve").TenancyV1().Grants(namespace)
	await(t, "the permission", mayList(eve, namespace))
	reads := []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	longer, bindings := grantOf("edit", "mallory"), eve.RbacV1().RoleBindings(namespace)
	longer.Spec.Duration = &metav1.Duration{Duration: 2 * time.Hour}
	for name, test := range map[string]struct {
		write func(context.Context) error
		what  string
	}{
		"a grant for ever": {func(ctx context.Context) error {
			_, err := grants.Create(ctx, grantOf("edit", "eve"), metav1.CreateOptions{})
			return err
		}, `grants.tenancy.stoa.dev "edit-eve"`},
		"a longer grant": {func(ctx context.Context) error {
			_, err := grants.Create(ctx, longer, metav1.CreateOptions{})
			return err
		}, `grants.tenancy.stoa.dev "edit-mallory"`},
		"a binding": {func(ctx context.Context) error {
			_, err := bindings.Create(ctx, bindingOf("mine", "view", "eve"), metav1.CreateOptions{})
			return err
		}, `rolebindings.rbac.authorization.k8s.io "mine"`},
		"a role": {func(ctx context.Context) error {
			_, err := eve.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "mine"}, Rules: reads}, metav1.CreateOptions{})
			return err
		}, `roles.rbac.authorization.k8s.io "mine"`},
		"the end of her own": {func(ctx context.Context) error {
			patch := []byte(`{"metadata":{"annotations":{"tenancy.stoa.dev/expires-at":null}}}`)
			_, err := bindings.Patch(ctx, "grant:admin-eve", types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		}, `rolebindings.rbac.authorization.k8s.io "grant:admin-eve"`},
	} {
		want := test.what + ` is forbidden: user "eve" holds this only until ` + soon.Spec.ExpiresAt.UTC().Format(time.RFC3339)
		if err := test.write(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	shorter := grantOf("edit", "mallory")
	shorter.Spec.ExpiresAt = soon.Spec.ExpiresAt
	if _, err := grants.Create(t.Context(), shorter, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	inPhase(t, tenancyAs(t, api, ""), namespace, shorter.Name, tenancyv1.GrantActive)
	until := bindingOf("until", "view", "mallory")
	until.Annotations = map[string]string{tenancy.ExpiresAtAnnotation: soon.Spec.ExpiresAt.UTC().Format(time.RFC3339)}
	if _, err := bindings.Create(t.Context(), until, metav1.CreateOptions{}); err != nil {
		t.Errorf("a binding that ends: %v", err)
	}
}

// A binding that says until when it holds ends at that time, also if nobody deletes it.
func TestBindingsExpire(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	judy, end := as(t, "judy"), time.Now().Add(2*time.Second).Truncate(time.Second)
	for name, until := range map[string]string{"soon": end.UTC().Format(time.RFC3339), "garbage": "tomorrow"} {
		binding := bindingOf(name, "view", "judy")
		binding.Annotations = map[string]string{tenancy.ExpiresAtAnnotation: until}
		if _, err := admin(t).RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the end", func(ctx context.Context) (bool, error) {
		over := !time.Now().Before(end)
		may, err := mayList(judy, namespace)(ctx)
		if may && over {
			t.Error("the permission holds too long")
		}
		return over, err
	})
}
