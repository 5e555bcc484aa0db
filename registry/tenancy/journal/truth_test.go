// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// truth is who sees what, found by looking at everything each time.
type truth struct {
	objects map[string]object
	// left are bindings and roles that went while their namespace ended.
	left map[string]object
}

func newTruth() *truth { return &truth{objects: map[string]object{}, left: map[string]object{}} }

func (t *truth) apply(w write) {
	if !w.gone {
		t.objects[w.key] = w.object
		delete(t.left, w.key)
		return
	}
	delete(t.objects, w.key)
	namespace := w.object.GetNamespace()
	if _, ok := w.object.(*corev1.Namespace); ok {
		for key, obj := range t.left {
			if obj.GetNamespace() == w.object.GetName() {
				delete(t.left, key)
			}
		}
		return
	}
	if _, key := keyOf(namespaceNamed(namespace)); namespace != "" && t.objects[key] != nil && t.objects[key].GetDeletionTimestamp() != nil {
		t.left[w.key] = w.object
	}
}

func namespaceNamed(name string) *corev1.Namespace {
	n := &corev1.Namespace{}
	n.Name = name
	return n
}

// all calls f with everything that counts.
func (t *truth) all(f func(object)) {
	for _, obj := range t.objects {
		f(obj)
	}
	for _, obj := range t.left {
		f(obj)
	}
}

// rules are those of a role; the second is false if there is none.
func (t *truth) rules(ref rbacv1.RoleRef, namespace string) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	t.all(func(obj object) {
		switch r := obj.(type) {
		case *rbacv1.ClusterRole:
			if ref.Kind == "ClusterRole" && r.Name == ref.Name {
				out = r.Rules
			}
		case *rbacv1.Role:
			if ref.Kind == "Role" && r.Name == ref.Name && r.Namespace == namespace {
				out = r.Rules
			}
		}
	})
	return out
}

// person is somebody who watches.
type person struct {
	name   string
	groups []string
}

func (p person) is(all []rbacv1.Subject, namespace string) bool {
	return slices.ContainsFunc(all, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case "User":
			return s.Name == p.name
		case "Group":
			return slices.Contains(p.groups, s.Name)
		case "ServiceAccount":
			of := s.Namespace
			if of == "" {
				of = namespace
			}
			return p.name == "system:serviceaccount:"+of+":"+s.Name
		}
		return false
	})
}

// seen is a namespace that somebody sees.
type seen struct{ resourceVersion, label string }

// visible returns the namespaces that somebody sees, by name.
func (t *truth) visible(p person) map[string]seen {
	out := map[string]seen{}
	var open []string
	everything := slices.Contains(p.groups, "system:masters")
	t.all(func(obj object) {
		switch b := obj.(type) {
		case *rbacv1.RoleBinding:
			if p.is(b.Subjects, b.Namespace) && len(t.rules(b.RoleRef, b.Namespace)) > 0 {
				open = append(open, b.Namespace)
			}
		case *rbacv1.ClusterRoleBinding:
			if !p.is(b.Subjects, "") {
				return
			}
			for _, r := range t.rules(b.RoleRef, "") {
				has := func(list []string, one string) bool {
					return strings.Contains(" "+strings.Join(list, " ")+" ", " "+one+" ")
				}
				if (has(r.Verbs, "get") || has(r.Verbs, "*")) && slices.Contains(r.APIGroups, "") && has(r.Resources, "namespaces") {
					everything = everything || len(r.ResourceNames) == 0
					open = append(open, r.ResourceNames...)
				}
			}
		case *tenancy.Tenant:
			if p.is(b.Spec.Owners, "") {
				open = append(open, "tenant "+b.Name)
			}
		}
	})
	for _, obj := range t.objects {
		n, ok := obj.(*corev1.Namespace)
		if !ok {
			continue
		}
		tenant := n.Labels["tenancy.stoa.dev/tenant"]
		if everything || slices.Contains(open, n.Name) || tenant != "" && slices.Contains(open, "tenant "+tenant) {
			out[n.Name] = seen{n.ResourceVersion, n.Labels["x"]}
		}
	}
	return out
}
