// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// TestEscalationByOtherWays has somebody who may write roles and bindings, and read pods,
// try to get more by each way of writing.
func TestEscalationByOtherWays(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	who := "climber-" + namespace
	read := []string{"get", "list", "watch"}
	grantEverywhere(t, who, []rbacv1.PolicyRule{
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings", "clusterroles", "clusterrolebindings"}, Verbs: []string{"get", "create", "update", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: read},
	})
	climber := as(t, who, "system:authenticated")
	may(t, climber, true, authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods"})
	own := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: read}
	roles := climber.RbacV1().Roles(namespace)
	if _, err := roles.Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "own"}, Rules: []rbacv1.PolicyRule{own}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*rbacv1.PolicyRule){
		"any verb":        func(r *rbacv1.PolicyRule) { r.Verbs = []string{"*"} },
		"any group":       func(r *rbacv1.PolicyRule) { r.APIGroups = []string{"*"} },
		"any resource":    func(r *rbacv1.PolicyRule) { r.Resources = []string{"*"} },
		"any subresource": func(r *rbacv1.PolicyRule) { r.Resources = []string{"pods/*"} },
		"each status":     func(r *rbacv1.PolicyRule) { r.Resources = []string{"*/status"} },
		"status":          func(r *rbacv1.PolicyRule) { r.Resources = []string{"pods/status"} },
		"exec":            func(r *rbacv1.PolicyRule) { r.Resources = []string{"pods", "pods/exec"} },
		"one verb more":   func(r *rbacv1.PolicyRule) { r.Verbs = append([]string{"delete"}, read...) },
		"one more, named": func(r *rbacv1.PolicyRule) { r.Resources, r.ResourceNames = []string{"secrets"}, []string{"x"} },
		"escalate": func(r *rbacv1.PolicyRule) {
			*r = rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"escalate", "bind"}}
		},
		"impersonate": func(r *rbacv1.PolicyRule) { r.Resources, r.Verbs = []string{"users"}, []string{"impersonate"} },
	} {
		rule := *own.DeepCopy()
		change(&rule)
		climb(t, climber, namespace, name, rule)
	}
	// As much as one has may be given away, by any way.
	less := *own.DeepCopy()
	less.ResourceNames = []string{"x"}
	if _, err := roles.Patch(t.Context(), "own", types.MergePatchType, rulesOf(t, less), metav1.PatchOptions{}); err != nil {
		t.Errorf("less: %v", err)
	}
	may(t, climber, false, authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Resource: "secrets"})
}

// rulesOf is a patch.
func rulesOf(t *testing.T, rule rbacv1.PolicyRule) []byte {
	t.Helper()
	out, err := json.Marshal(map[string]any{"rules": []rbacv1.PolicyRule{rule}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// climb writes a rule that its writer has not, by each way of writing it.
func climb(t *testing.T, climber kubernetes.Interface, namespace, name string, rule rbacv1.PolicyRule) {
	t.Helper()
	ctx, roles, clusterRoles := t.Context(), climber.RbacV1().Roles(namespace), climber.RbacV1().ClusterRoles()
	rules, meta := []rbacv1.PolicyRule{rule}, metav1.ObjectMeta{Name: strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "") + "-" + namespace}
	patch, force := rulesOf(t, rule), true
	for way, try := range map[string]func() error{
		"create": func() error {
			_, err := roles.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
			return err
		},
		"create everywhere": func() error {
			_, err := clusterRoles.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
			return err
		},
		"create a part of the role view": func() error {
			part := meta
			part.Labels = map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}
			_, err := clusterRoles.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: part, Rules: rules}, metav1.CreateOptions{})
			return err
		},
		"dry run": func() error {
			_, err := roles.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{DryRun: []string{"All"}})
			return err
		},
		"update": func() error {
			_, err := roles.Update(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "own"}, Rules: rules}, metav1.UpdateOptions{})
			return err
		},
		"patch": func() error {
			_, err := roles.Patch(ctx, "own", types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		},
		"strategic patch": func() error {
			_, err := roles.Patch(ctx, "own", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
			return err
		},
		"JSON patch": func() error {
			one, err := json.Marshal([]any{map[string]any{"op": "replace", "path": "/rules/0", "value": rule}})
			if err == nil {
				_, err = roles.Patch(ctx, "own", types.JSONPatchType, one, metav1.PatchOptions{})
			}
			return err
		},
		"apply": func() error {
			applied, err := json.Marshal(rbacv1.Role{TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role"}, ObjectMeta: metav1.ObjectMeta{Name: "own"}, Rules: rules})
			if err == nil {
				_, err = roles.Patch(ctx, "own", types.ApplyPatchType, applied, metav1.PatchOptions{FieldManager: "climber", Force: &force})
			}
			return err
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "is attempting to grant RBAC permissions not currently held") {
			t.Errorf("%s: %s: %v", name, way, err)
		}
	}
}

// TestEscalationByBindings has somebody who may write bindings give himself, or others,
// what he has not, also by a change of a binding that is there.
func TestEscalationByBindings(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	who := "binder-" + namespace
	grantEverywhere(t, who, []rbacv1.PolicyRule{{
		APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings", "clusterrolebindings"}, Verbs: []string{"get", "create", "update", "patch", "delete"},
	}})
	binder := as(t, who, "system:authenticated")
	may(t, binder, true, authorizationv1.ResourceAttributes{Verb: "create", Group: rbacv1.GroupName, Resource: "rolebindings"})
	if _, err := admin(t).RbacV1().RoleBindings(namespace).Create(t.Context(), bindingOf("there", "admin", "somebody"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, bindings := t.Context(), binder.RbacV1().RoleBindings(namespace)
	subject := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: who}
	for way, try := range map[string]func() error{
		"create": func() error {
			_, err := bindings.Create(ctx, bindingOf("new", "admin", who), metav1.CreateOptions{})
			return err
		},
		"create everywhere": func() error {
			_, err := binder.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: who + "-root"}, Subjects: []rbacv1.Subject{subject},
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			}, metav1.CreateOptions{})
			return err
		},
		"of no subjects": func() error {
			empty := bindingOf("empty", "admin", who)
			empty.Subjects = nil
			_, err := bindings.Create(ctx, empty, metav1.CreateOptions{})
			return err
		},
		"update": func() error {
			_, err := bindings.Update(ctx, bindingOf("there", "admin", who), metav1.UpdateOptions{})
			return err
		},
		"patch": func() error {
			patch, err := json.Marshal(map[string]any{"subjects": []rbacv1.Subject{subject}})
			if err == nil {
				_, err = bindings.Patch(ctx, "there", types.MergePatchType, patch, metav1.PatchOptions{})
			}
			return err
		},
		"the default one": func() error {
			patch, err := json.Marshal(map[string]any{"subjects": []rbacv1.Subject{subject}})
			if err == nil {
				_, err = binder.RbacV1().ClusterRoleBindings().Patch(ctx, "cluster-admin", types.MergePatchType, patch, metav1.PatchOptions{})
			}
			return err
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "is attempting to grant RBAC permissions not currently held") {
			t.Errorf("%s: %v", way, err)
		}
	}
	// Nor is there a way around: the right to get a pod is none to its status.
	grantEverywhere(t, "reader-"+namespace, []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods", "serviceaccounts"}, Verbs: []string{"*"}}})
	reader := as(t, "reader-"+namespace, "system:authenticated")
	may(t, reader, true, authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "delete", Resource: "pods"})
	for _, subresource := range []string{"status", "log", "exec", "attach", "portforward", "proxy", "eviction", "binding", "ephemeralcontainers", "resize"} {
		may(t, reader, false, authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "create", Resource: "pods", Subresource: subresource})
	}
	if _, err := reader.CoreV1().Pods(namespace).Patch(ctx, "x", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{}, "status"); !apierrors.IsForbidden(err) {
		t.Errorf("status: %v", err)
	}
	if _, err := reader.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("token: %v", err)
	}
}
