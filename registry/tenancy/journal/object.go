// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/rbac"
	"github.com/stoa-project/stoa/apis/tenancy"
)

// Project returns the project that a namespace is. It shares the labels.
func Project(n *corev1.Namespace) *tenancy.Project {
	out := &tenancy.Project{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion, Generation: n.Generation,
			CreationTimestamp: n.CreationTimestamp, DeletionTimestamp: n.DeletionTimestamp,
			Labels: n.Labels,
		},
		Spec:   tenancy.ProjectSpec{DisplayName: n.Annotations[tenancy.DisplayNameAnnotation], Tenant: n.Labels[tenancy.TenantLabel]},
		Status: tenancy.ProjectStatus{Phase: tenancy.ProjectActive},
	}
	if len(utilvalidation.IsDNS1123Label(out.Spec.Tenant)) > 0 { // nobody's: no tenant has such a name
		out.Spec.Tenant = ""
	}
	if n.DeletionTimestamp != nil || n.Status.Phase == corev1.NamespaceTerminating {
		out.Status.Phase = tenancy.ProjectTerminating
	}
	return out
}

// Tenant is what decides about the projects of a tenant.
type Tenant struct {
	Owners []Subject
	// Limit is nil if there may be any number of projects.
	Limit     *int32
	Suspended bool
}

// OwnedBy says whether a user is one of the owners.
func (t Tenant) OwnedBy(who Who) bool {
	for _, owner := range t.Owners {
		if who.in(subjects{owner}) {
			return true
		}
	}
	return false
}

// put applies an object that is there. What is of no kind that matters is ignored.
func (s *state) put(obj runtime.Object) {
	switch o := obj.(type) {
	case *core.Namespace:
		s.setNamespace(o.Name, Project((*corev1.Namespace)(o)))
	case *corev1.Namespace:
		s.setNamespace(o.Name, Project(o))
	case *tenancy.Tenant:
		s.setTenant(o.Name, &Tenant{Owners: readSubjects(o.Spec.Owners, ""), Limit: o.Spec.Namespaces.Limit, Suspended: o.Spec.Suspended})
	default:
		if at, of, ok := readBinding(obj); ok {
			s.setBinding(at, of)
		} else if at, rules, ok := readRules(obj); ok {
			s.setRole(at, readRole(rules))
		}
	}
}

// remove applies that an object is gone.
func (s *state) remove(obj runtime.Object) {
	switch o := obj.(type) {
	case *core.Namespace:
		s.setNamespace(o.Name, nil)
	case *corev1.Namespace:
		s.setNamespace(o.Name, nil)
	case *tenancy.Tenant:
		s.setTenant(o.Name, nil)
	default:
		if at, _, ok := readBinding(obj); ok {
			s.removeBinding(at)
		} else if at, _, ok := readRules(obj); ok {
			s.removeRole(at)
		}
	}
}

func readBinding(obj runtime.Object) (key, binding, bool) {
	var meta *metav1.ObjectMeta
	var ref *rbacv1.RoleRef
	var to []rbacv1.Subject
	switch o := obj.(type) {
	case *rbac.RoleBinding:
		meta, ref, to = &o.ObjectMeta, &o.RoleRef, o.Subjects
	case *rbacv1.RoleBinding:
		meta, ref, to = &o.ObjectMeta, &o.RoleRef, o.Subjects
	case *rbac.ClusterRoleBinding:
		meta, ref, to = &o.ObjectMeta, &o.RoleRef, o.Subjects
	case *rbacv1.ClusterRoleBinding:
		meta, ref, to = &o.ObjectMeta, &o.RoleRef, o.Subjects
	default:
		return key{}, binding{}, false
	}
	of := binding{role: key{name: ref.Name}, subjects: readSubjects(to, meta.Namespace), end: endOf(meta)}
	switch {
	case ref.Kind == "Role" && meta.Namespace != "":
		of.role.namespace = meta.Namespace
	case ref.Kind != "ClusterRole":
		of.role = key{} // no role has that name
	}
	return key{meta.Namespace, meta.Name}, of, true
}

// endOf is when the binding of a grant is over; zero: it does not say. Of other bindings it
// is not asked: a host, whose authorizer knows of no ends, goes on believing them.
func endOf(meta *metav1.ObjectMeta) time.Time {
	text, said := meta.Annotations[tenancy.ExpiresAtAnnotation]
	if !said {
		return time.Time{}
	}
	owner := metav1.GetControllerOf(meta)
	if owner == nil || owner.Kind != "Grant" || !strings.HasPrefix(owner.APIVersion, tenancy.GroupName+"/") {
		return time.Time{}
	}
	at, _ := time.Parse(time.RFC3339, text) // the controller writes no other
	return at
}

func readRules(obj runtime.Object) (key, []rbacv1.PolicyRule, bool) {
	switch o := obj.(type) {
	case *rbac.Role:
		return key{o.Namespace, o.Name}, o.Rules, true
	case *rbacv1.Role:
		return key{o.Namespace, o.Name}, o.Rules, true
	case *rbac.ClusterRole:
		return key{"", o.Name}, o.Rules, true
	case *rbacv1.ClusterRole:
		return key{"", o.Name}, o.Rules, true
	default:
		return key{}, nil, false
	}
}
