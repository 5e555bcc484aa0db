// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	storeerr "k8s.io/apiserver/pkg/storage/errors"
	"k8s.io/apiserver/pkg/util/dryrun"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// namespaceREST serves namespaces. It has no deletecollection, and deletes in
// two steps:
//
//	Active ──delete──► Terminating ──finalizers empty──► gone
//
// The first delete only marks the namespace; who empties it takes its finalizer
// away through /finalize, and that update removes it.
type namespaceREST struct{ store *kind.REST }

var (
	_ rest.Creater              = (*namespaceREST)(nil)
	_ rest.Lister               = (*namespaceREST)(nil)
	_ rest.Patcher              = (*namespaceREST)(nil)
	_ rest.Watcher              = (*namespaceREST)(nil)
	_ rest.GracefulDeleter      = (*namespaceREST)(nil)
	_ rest.Scoper               = (*namespaceREST)(nil)
	_ rest.ShortNamesProvider   = (*namespaceREST)(nil)
	_ rest.SingularNameProvider = (*namespaceREST)(nil)
	_ rest.ResetFieldsStrategy  = (*namespaceREST)(nil)
	_ rest.StorageWithReadiness = (*namespaceREST)(nil)
)

func (r *namespaceREST) New() runtime.Object     { return r.store.New() }
func (r *namespaceREST) NewList() runtime.Object { return r.store.NewList() }
func (r *namespaceREST) Destroy()                { r.store.Destroy() }
func (r *namespaceREST) NamespaceScoped() bool   { return r.store.NamespaceScoped() }
func (r *namespaceREST) ShortNames() []string    { return r.store.ShortNames() }
func (r *namespaceREST) GetSingularName() string { return r.store.GetSingularName() }
func (r *namespaceREST) ReadinessCheck() error   { return r.store.ReadinessCheck() }

func (r *namespaceREST) StorageVersion() runtime.GroupVersioner { return r.store.StorageVersion() }

func (r *namespaceREST) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return r.store.GetResetFields()
}

func (r *namespaceREST) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return r.store.ConvertToTable(ctx, obj, options)
}

func (r *namespaceREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return r.store.Get(ctx, name, options)
}

func (r *namespaceREST) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	return r.store.List(ctx, options)
}

func (r *namespaceREST) Watch(ctx context.Context, options *metainternalversion.ListOptions) (watch.Interface, error) {
	return r.store.Watch(ctx, options)
}

func (r *namespaceREST) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	return r.store.Create(ctx, obj, validate, options)
}

func (r *namespaceREST) Update(ctx context.Context, name string, obj rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc, force bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return r.store.Update(ctx, name, obj, create, update, force, options)
}

// Delete implements rest.GracefulDeleter.
func (r *namespaceREST) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	found, err := r.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, false, err
	}
	namespace := found.(*core.Namespace)
	if options == nil {
		options = &metav1.DeleteOptions{}
	}
	if err := precondition(namespace, options); err != nil {
		return nil, false, err
	}
	if namespace.DeletionTimestamp.IsZero() {
		marked, err := r.terminate(ctx, name, validate, options)
		return marked, false, err
	}
	if len(namespace.Spec.Finalizers) > 0 {
		return namespace, false, nil
	}
	return r.store.Delete(ctx, name, validate, options)
}

// precondition pins the delete to the object that was read, and refuses it if the
// caller meant another one.
func precondition(namespace *core.Namespace, options *metav1.DeleteOptions) error {
	if options.Preconditions == nil {
		options.Preconditions = &metav1.Preconditions{}
	}
	conflict := func(err error) error {
		return apierrors.NewConflict(core.Resource("namespaces"), namespace.Name, err)
	}
	switch want := options.Preconditions; {
	case want.UID == nil:
		want.UID = &namespace.UID
	case *want.UID != namespace.UID:
		return conflict(fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", *want.UID, namespace.UID)) //nolint:staticcheck // upstream's text
	}
	if want := options.Preconditions.ResourceVersion; want != nil && *want != namespace.ResourceVersion {
		return conflict(fmt.Errorf("Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v", *want, namespace.ResourceVersion)) //nolint:staticcheck // upstream's text
	}
	return nil
}

// terminate marks a namespace as being deleted.
func (r *namespaceREST) terminate(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, error) {
	key, err := r.store.KeyFunc(ctx, name)
	if err != nil {
		return nil, err
	}
	preconditions := &storage.Preconditions{UID: options.Preconditions.UID, ResourceVersion: options.Preconditions.ResourceVersion}
	out := r.store.New()
	mark := storage.SimpleUpdate(func(existing runtime.Object) (runtime.Object, error) {
		namespace, ok := existing.(*core.Namespace)
		if !ok {
			return nil, fmt.Errorf("expected *core.Namespace, got %T", existing)
		}
		if validate != nil {
			if err := validate(ctx, namespace); err != nil {
				return nil, err
			}
		}
		if namespace.DeletionTimestamp.IsZero() {
			now := metav1.Now()
			namespace.DeletionTimestamp = &now
		}
		namespace.Status.Phase = corev1.NamespaceTerminating
		keep(namespace, metav1.FinalizerOrphanDependents, metav1.DeletePropagationOrphan, options)
		keep(namespace, metav1.FinalizerDeleteDependents, metav1.DeletePropagationForeground, options)
		return namespace, nil
	})
	err = r.store.Storage.GuaranteedUpdate(ctx, key, out, false, preconditions, mark, dryrun.IsDryRun(options.DryRun), nil)
	if err != nil {
		err = storeerr.InterpretUpdateError(err, core.Resource("namespaces"), name)
		if _, ok := err.(*apierrors.StatusError); !ok { //nolint:errorlint // only a bare status is fit for clients
			err = apierrors.NewInternalError(err)
		}
		return nil, err
	}
	return out, nil
}

// keep makes the finalizer that stands for a propagation policy be there exactly
// if the caller asked for the policy. A caller that asked for none changes nothing.
func keep(namespace *core.Namespace, finalizer string, policy metav1.DeletionPropagation, options *metav1.DeleteOptions) {
	had := slices.Contains(namespace.Finalizers, finalizer)
	want := had
	switch {
	case options.OrphanDependents != nil: //nolint:staticcheck // deprecated, but still served
		want = policy == metav1.DeletePropagationOrphan && *options.OrphanDependents //nolint:staticcheck // see above
	case options.PropagationPolicy != nil:
		want = policy == *options.PropagationPolicy
	}
	switch {
	case want && !had:
		namespace.Finalizers = append(namespace.Finalizers, finalizer)
	case !want && had:
		namespace.Finalizers = slices.DeleteFunc(namespace.Finalizers, func(f string) bool { return f == finalizer })
	}
}
