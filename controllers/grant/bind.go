// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"errors"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
)

// errNobody is the error of a grant that the server did not make: every other one has
// a grantor.
var errNobody = errors.New("the grant does not say who made it")

// objectName is that of the role and the binding of a grant.
func objectName(g *tenancyv1.Grant) string { return prefix + g.Name }

// isOf says whether an object that has the name of those of a grant is one of them: it
// says so, or the status of the grant does. Who may write it can take away what it says.
func isOf(obj metav1.Object, g *tenancyv1.Grant) bool {
	return metav1.IsControlledBy(obj, g) || isBound(g)
}

// ownerOf is the grant that an object says it is of; nil if there is none.
func ownerOf(obj metav1.Object) *metav1.OwnerReference {
	owner := metav1.GetControllerOf(obj)
	if owner == nil || owner.Kind != kind || prefix+owner.Name != obj.GetName() {
		return nil
	}
	if of, err := schema.ParseGroupVersion(owner.APIVersion); err != nil || of.Group != tenancy.GroupName {
		return nil
	}
	return owner
}

// remove deletes an object.
type remove func(ctx context.Context, name string, options metav1.DeleteOptions) error

// replace deletes an object of a grant that had the name before. Of one that is of
// somebody else it returns the error.
func (c *controller) replace(ctx context.Context, known metav1.Object, g *tenancyv1.Grant, remove remove) error {
	if ownerOf(known) == nil {
		return takenError(objectName(g))
	}
	return again(remove(ctx, known.GetName(), exactly(known)))
}

// sweep deletes the role and the binding of a grant that is gone before them, because
// somebody took its finalizer away.
func (c *controller) sweep(ctx context.Context, name cache.ObjectName) error {
	stray := func(obj metav1.Object) (bool, error) {
		owner := ownerOf(obj)
		if owner == nil {
			return false, nil
		}
		g, err := c.own.TenancyV1().Grants(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return err == nil && g.UID != owner.UID, err
	}
	binding, err := c.bindings.RoleBindings(name.Namespace).Get(prefix + name.Name)
	if err == nil {
		err = discard(ctx, binding, stray, c.client.RbacV1().RoleBindings(name.Namespace).Delete)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	role, err := c.roles.Roles(name.Namespace).Get(prefix + name.Name)
	if err == nil {
		err = discard(ctx, role, stray, c.client.RbacV1().Roles(name.Namespace).Delete)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

func discard(ctx context.Context, obj metav1.Object, stray func(metav1.Object) (bool, error), remove remove) error {
	if is, err := stray(obj); !is {
		return err
	}
	return remove(ctx, obj.GetName(), exactly(obj))
}

// bind makes the role and the binding of a grant, or makes them again if they are not
// what they should be.
func (c *controller) bind(ctx context.Context, g *tenancyv1.Grant) error {
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: objectName(g)}
	if g.Spec.RoleRef != nil {
		ref = *g.Spec.RoleRef
	} else if err := c.ensureRole(ctx, g); err != nil {
		return err
	}
	want := &rbacv1.RoleBinding{ObjectMeta: objectMeta(g), RoleRef: ref, Subjects: []rbacv1.Subject{g.Spec.Subject}}
	if end := g.Status.ExpiresAt; end != nil {
		want.Annotations = map[string]string{tenancy.ExpiresAtAnnotation: end.UTC().Format(time.RFC3339)}
	}
	api := c.client.RbacV1().RoleBindings(g.Namespace)
	known, err := c.bindings.RoleBindings(g.Namespace).Get(want.Name)
	switch {
	case apierrors.IsNotFound(err):
		return create(ctx, api, want, g)
	case err != nil:
		return err
	case !isOf(known, g):
		return c.replace(ctx, known, g, api.Delete)
	case known.RoleRef != ref: // which cannot be changed
		return again(api.Delete(ctx, want.Name, exactly(known)))
	case metav1.IsControlledBy(known, g) && apiequality.Semantic.DeepEqual(known.Subjects, want.Subjects) &&
		known.Annotations[tenancy.ExpiresAtAnnotation] == want.Annotations[tenancy.ExpiresAtAnnotation]:
		return nil
	}
	now := known.DeepCopy()
	now.Subjects, now.OwnerReferences = want.Subjects, want.OwnerReferences
	delete(now.Annotations, tenancy.ExpiresAtAnnotation)
	for key, value := range want.Annotations {
		metav1.SetMetaDataAnnotation(&now.ObjectMeta, key, value)
	}
	_, err = api.Update(ctx, now, metav1.UpdateOptions{FieldManager: manager})
	return err
}

func (c *controller) ensureRole(ctx context.Context, g *tenancyv1.Grant) error {
	want := &rbacv1.Role{ObjectMeta: objectMeta(g), Rules: g.Spec.Rules}
	api := c.client.RbacV1().Roles(g.Namespace)
	known, err := c.roles.Roles(g.Namespace).Get(want.Name)
	switch {
	case apierrors.IsNotFound(err):
		return create(ctx, api, want, g)
	case err != nil:
		return err
	case !isOf(known, g):
		return c.replace(ctx, known, g, api.Delete)
	case metav1.IsControlledBy(known, g) && apiequality.Semantic.DeepEqual(known.Rules, want.Rules):
		return nil
	}
	now := known.DeepCopy()
	now.Rules, now.OwnerReferences = want.Rules, want.OwnerReferences
	_, err = api.Update(ctx, now, metav1.UpdateOptions{FieldManager: manager})
	return err
}

func objectMeta(g *tenancyv1.Grant) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: objectName(g), Namespace: g.Namespace,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: tenancyv1.GroupVersion.String(), Kind: kind, Name: g.Name, UID: g.UID, Controller: new(true),
		}},
	}
}

// unbind deletes the binding and the role of a grant. It asks the server, because the
// informer may lag behind.
func (c *controller) unbind(ctx context.Context, g *tenancyv1.Grant) error {
	bindings, roles := c.client.RbacV1().RoleBindings(g.Namespace), c.client.RbacV1().Roles(g.Namespace)
	binding, err := bindings.Get(ctx, objectName(g), metav1.GetOptions{})
	if err == nil && isOf(binding, g) {
		err = bindings.Delete(ctx, binding.Name, exactly(binding))
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	role, err := roles.Get(ctx, objectName(g), metav1.GetOptions{})
	if err == nil && isOf(role, g) {
		err = roles.Delete(ctx, role.Name, exactly(role))
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// again is the error of what is to be made anew after something was deleted.
func again(err error) error {
	if err == nil || apierrors.IsNotFound(err) {
		return work.AgainError{}
	}
	return err
}

// exactly are the options that delete an object and none that has taken its name.
func exactly(obj metav1.Object) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: new(obj.GetUID())}}
}

// create makes an object of a grant. One that is there may be on its way to the informer.
func create[T metav1.Object](ctx context.Context, api interface {
	Create(ctx context.Context, obj T, options metav1.CreateOptions) (T, error)
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
}, want T, g *tenancyv1.Grant,
) error {
	_, err := api.Create(ctx, want, metav1.CreateOptions{FieldManager: manager})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	known, err := api.Get(ctx, want.GetName(), metav1.GetOptions{})
	if err == nil && !metav1.IsControlledBy(known, g) {
		err = takenError(want.GetName())
	}
	return err
}

// takenError is the name of a role or binding that is there and not of the grant.
type takenError string

// Error implements error.
func (e takenError) Error() string {
	return fmt.Sprintf("the name %q of its role or binding is taken by an object that is not of the grant", string(e))
}
