// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/stoa-project/stoa/apis/autoscaling"
)

// Scale describes /scale: how many replicas of something an object asks for and
// has. Replicas, SetReplicas and Status are required.
type Scale[T any] struct {
	// Replicas is how many are asked for.
	Replicas func(*T) int32
	// SetReplicas asks for another number.
	SetReplicas func(*T, int32)
	// Status is how many there are.
	Status func(*T) int32
	// Selector selects them, as a label selector in text. Nil: nothing is selected.
	Selector func(*T) string
	// Path is where the number asked for is in the JSON of the served versions, for
	// server-side apply. Unset: spec.replicas.
	Path []string
}

// scaleREST serves GET, PUT and PATCH on /scale. An update is one of the main
// endpoint, with its validation and generation, that changes the number alone.
type scaleREST struct {
	kind  *kind
	store *REST
	table *table
	// paths is where the number is, for each served version.
	paths managedfields.ResourcePathMappings
}

func newScaleREST(k *kind, scheme *runtime.Scheme, store *REST) *scaleREST {
	names := k.Scale.Path
	if names == nil {
		names = []string{"spec", "replicas"}
	}
	var path fieldpath.Path
	for _, name := range names {
		path = append(path, fieldpath.PathElement{FieldName: &name})
	}
	paths := managedfields.ResourcePathMappings{}
	for _, gv := range k.versions(scheme) {
		paths[gv.String()] = path
	}
	return &scaleREST{kind: k, store: store, paths: paths, table: newTable(eraseColumns([]Column[autoscaling.Scale]{
		Name[autoscaling.Scale](),
		{Name: "Desired", Type: "integer", Description: autoscalingv1.ScaleSpec{}.SwaggerDoc()["replicas"],
			Value: func(s *autoscaling.Scale) any { return int64(s.Spec.Replicas) }},
		{Name: "Available", Type: "integer", Description: autoscalingv1.ScaleStatus{}.SwaggerDoc()["replicas"],
			Value: func(s *autoscaling.Scale) any { return int64(s.Status.Replicas) }},
		Age[autoscaling.Scale](),
	}), is[autoscaling.Scale])}
}

// GroupVersionKind implements rest.GroupVersionKindProvider: in every group, the
// shape is that of autoscaling/v1.
func (r *scaleREST) GroupVersionKind(schema.GroupVersion) schema.GroupVersionKind {
	return autoscalingv1.SchemeGroupVersion.WithKind("Scale")
}

func (r *scaleREST) New() runtime.Object { return &autoscaling.Scale{} }

// Destroy does nothing: the main endpoint destroys the store that both share.
func (r *scaleREST) Destroy() {}

func (r *scaleREST) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return r.table.ConvertToTable(ctx, obj, options)
}

func (r *scaleREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	obj, err := r.store.Get(ctx, name, options)
	if err != nil {
		return nil, err
	}
	return r.scaleOf(obj), nil
}

func (r *scaleREST) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, _ rest.ValidateObjectFunc, admit rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	admitScale := func(ctx context.Context, obj, old runtime.Object) error {
		if admit == nil {
			return nil
		}
		return admit(ctx, r.scaleOf(obj), r.scaleOf(old))
	}
	// What is stored, and validated by the tags of its type, is the parent; it is
	// never created here.
	if info, ok := genericapirequest.RequestInfoFrom(ctx); ok {
		parent := *info
		parent.Subresource = ""
		ctx = genericapirequest.WithRequestInfo(ctx, &parent)
	}
	obj, _, err := r.store.Update(ctx, name, scaledObject{info, r}, nil, admitScale, false, options)
	if err != nil {
		return nil, false, err
	}
	return r.scaleOf(obj), false, nil
}

// scaleOf is the object as /scale shows it.
func (r *scaleREST) scaleOf(parent runtime.Object) *autoscaling.Scale {
	s, obj := r.kind.Scale, parent.(metav1.Object)
	out := &autoscaling.Scale{
		ObjectMeta: metav1.ObjectMeta{
			Name: obj.GetName(), Namespace: obj.GetNamespace(), UID: obj.GetUID(),
			ResourceVersion: obj.GetResourceVersion(), CreationTimestamp: obj.GetCreationTimestamp(),
		},
		Spec:   autoscalingv1.ScaleSpec{Replicas: s.Replicas(parent)},
		Status: autoscalingv1.ScaleStatus{Replicas: s.Status(parent)},
	}
	if s.Selector != nil {
		out.Status.Selector = s.Selector(parent)
	}
	return out
}

// scaledObject turns an update of a scale into one of the object.
type scaledObject struct {
	rest.UpdatedObjectInfo
	rest *scaleREST
}

// UpdatedObject implements rest.UpdatedObjectInfo.
func (u scaledObject) UpdatedObject(ctx context.Context, old runtime.Object) (runtime.Object, error) {
	parent := old.DeepCopyObject()
	obj := parent.(metav1.Object)
	if obj.GetUID() == "" {
		return nil, apierrors.NewNotFound(u.rest.store.DefaultQualifiedResource, obj.GetName())
	}
	info, ok := genericapirequest.RequestInfoFrom(ctx)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("no request info in context"))
	}
	fields := managedfields.NewScaleHandler(obj.GetManagedFields(), schema.GroupVersion{Group: info.APIGroup, Version: info.APIVersion}, u.rest.paths)
	before := u.rest.scaleOf(parent)
	var err error
	if before.ManagedFields, err = fields.ToSubresource(); err != nil {
		return nil, err
	}
	updated, err := u.UpdatedObjectInfo.UpdatedObject(ctx, before)
	if err != nil {
		return nil, err
	}
	scale, ok := updated.(*autoscaling.Scale)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("expected input object type to be Scale, but %T", updated))
	}
	if errs := validateScale(scale); len(errs) > 0 {
		return nil, apierrors.NewInvalid(autoscaling.Kind("Scale"), scale.Name, errs)
	}
	if scale.UID != "" && scale.UID != obj.GetUID() {
		return nil, apierrors.NewConflict(u.rest.store.DefaultQualifiedResource, obj.GetName(),
			fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", scale.UID, obj.GetUID())) //nolint:staticcheck // upstream's text
	}
	u.rest.kind.Scale.SetReplicas(parent, scale.Spec.Replicas)
	if scale.ResourceVersion != "" {
		obj.SetResourceVersion(scale.ResourceVersion)
	}
	entries, err := fields.ToParent(scale.ManagedFields)
	if err != nil {
		return nil, err
	}
	obj.SetManagedFields(entries)
	return parent, nil
}

func validateScale(scale *autoscaling.Scale) field.ErrorList {
	if scale.Spec.Replicas < 0 {
		return field.ErrorList{field.Invalid(field.NewPath("spec", "replicas"), scale.Spec.Replicas, "must be greater than or equal to 0")}
	}
	return nil
}
