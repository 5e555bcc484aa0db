// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// everywhere is the namespace of bindings that hold in all of them.
const everywhere = ""

// subject is who a binding is for. A service account is the user that it
// authenticates as.
type subject struct {
	group bool
	name  string
}

// Grant is a role that a binding gives to a subject.
type Grant struct {
	// Namespace and Name are those of the binding. A ClusterRoleBinding has no
	// namespace.
	Namespace, Name string
	// Role is what is given.
	Role rbacv1.RoleRef
	// Subject is who gets it.
	Subject rbacv1.Subject
	// Until is when it is over; zero: when the binding is deleted.
	Until time.Time
}

// String describes the grant in the words of kube-apiserver.
func (g *Grant) String() string {
	kind, name, namespace := "ClusterRoleBinding", g.Name, g.Subject.Namespace
	if g.Namespace != everywhere {
		kind, name, namespace = "RoleBinding", g.Name+"/"+g.Namespace, cmp.Or(g.Subject.Namespace, g.Namespace)
	}
	to := g.Subject.Name
	if g.Subject.Kind == rbacv1.ServiceAccountKind {
		to += "/" + namespace
	}
	return fmt.Sprintf("%s %q of %s %q to %s %q", kind, name, g.Role.Kind, g.Role.Name, g.Subject.Kind, to)
}

// index has the grants of each subject by namespace, ordered by name.
type index struct {
	lock   sync.RWMutex
	grants map[subject]map[string][]*Grant
}

func newIndex() *index { return &index{grants: map[subject]map[string][]*Grant{}} }

// follow keeps the index by the events of an informer of bindings.
func follow[T metav1.Object](i *index, informer cache.SharedIndexInformer, grants func(T) []*Grant) (cache.ResourceEventHandlerRegistration, error) {
	return informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { i.replace(nil, grants(obj.(T))) },
		UpdateFunc: func(old, obj any) {
			if old.(T).GetResourceVersion() != obj.(T).GetResourceVersion() { // not just seen again
				i.replace(grants(old.(T)), grants(obj.(T)))
			}
		},
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			i.replace(grants(obj.(T)), nil)
		},
	})
}

func ofClusterRoleBinding(b *rbacv1.ClusterRoleBinding) []*Grant {
	return grantsOf(&b.ObjectMeta, b.RoleRef, b.Subjects)
}

func ofRoleBinding(b *rbacv1.RoleBinding) []*Grant {
	return grantsOf(&b.ObjectMeta, b.RoleRef, b.Subjects)
}

func grantsOf(binding *metav1.ObjectMeta, role rbacv1.RoleRef, subjects []rbacv1.Subject) []*Grant {
	until := tenancy.EndOfBinding(binding)
	out := make([]*Grant, len(subjects))
	for i, s := range subjects {
		out[i] = &Grant{Namespace: binding.Namespace, Name: binding.Name, Role: role, Subject: s, Until: until}
	}
	return out
}

// key is where a grant stands in the index; false if it is for nobody.
func (g *Grant) key() (subject, bool) {
	switch g.Subject.Kind {
	case rbacv1.UserKind:
		return subject{name: g.Subject.Name}, true
	case rbacv1.GroupKind:
		return subject{group: true, name: g.Subject.Name}, true
	case rbacv1.ServiceAccountKind:
		namespace := cmp.Or(g.Subject.Namespace, g.Namespace)
		return subject{name: serviceaccount.MakeUsername(namespace, g.Subject.Name)}, namespace != ""
	default:
		return subject{}, false
	}
}

// replace takes out the grants of a binding as it was, and puts in those of what it
// is now. Lists are never changed in place: readers have them without the lock.
func (i *index) replace(old, now []*Grant) {
	i.lock.Lock()
	defer i.lock.Unlock()
	for _, g := range old {
		if key, ok := g.key(); ok {
			i.remove(key, g)
		}
	}
	for _, g := range now {
		if key, ok := g.key(); ok {
			i.add(key, g)
		}
	}
}

func (i *index) remove(key subject, g *Grant) {
	left := slices.DeleteFunc(slices.Clone(i.grants[key][g.Namespace]), func(other *Grant) bool { return other.Name == g.Name })
	if len(left) > 0 {
		i.grants[key][g.Namespace] = left
		return
	}
	delete(i.grants[key], g.Namespace)
	if len(i.grants[key]) == 0 {
		delete(i.grants, key)
	}
}

func (i *index) add(key subject, g *Grant) {
	byNamespace := i.grants[key]
	if byNamespace == nil {
		byNamespace = map[string][]*Grant{}
		i.grants[key] = byNamespace
	}
	list := byNamespace[g.Namespace]
	at, found := slices.BinarySearchFunc(list, g, func(a, b *Grant) int { return cmp.Compare(a.Name, b.Name) })
	if found {
		return // a subject that the binding names twice
	}
	byNamespace[g.Namespace] = slices.Insert(slices.Clone(list), at, g)
}

// visit calls f with the grants of a user: first those that hold everywhere, then
// those of the namespace, until it returns false.
func (i *index) visit(who user.Info, namespace string, f func(*Grant) bool) {
	groups := who.GetGroups()
	lists := make([][]*Grant, 0, 2*(1+len(groups)))
	collect := func(namespace string) {
		if list := i.grants[subject{name: who.GetName()}][namespace]; len(list) > 0 {
			lists = append(lists, list)
		}
		for _, g := range groups {
			if list := i.grants[subject{group: true, name: g}][namespace]; len(list) > 0 {
				lists = append(lists, list)
			}
		}
	}
	i.lock.RLock()
	collect(everywhere)
	if namespace != everywhere {
		collect(namespace)
	}
	i.lock.RUnlock()
	for _, list := range lists {
		for _, g := range list {
			if !g.Until.IsZero() && !time.Now().Before(g.Until) {
				continue
			}
			if !f(g) {
				return
			}
		}
	}
}
