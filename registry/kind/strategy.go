// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/operation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// mainStrategy makes the main endpoint of a kind. It and partStrategy are the
// only code that implements the strategy interfaces of k8s.io/apiserver.
type mainStrategy[T any, PT Object[T]] struct {
	rest.DeclarativeValidation
	names.NameGenerator
	kind *kind[T, PT]
}

// compile-time guards need one instance of the generic types.
type configMap = corev1.ConfigMap

var (
	_ rest.CreateUpdateResetFieldsStrategy = mainStrategy[configMap, *configMap]{}
	_ rest.DeclarativeValidationStrategy   = mainStrategy[configMap, *configMap]{}
	_ rest.RESTDeleteStrategy              = mainStrategy[configMap, *configMap]{}
	_ rest.RESTUpdateStrategy              = partStrategy[configMap, *configMap]{}
	_ rest.DeclarativeValidationStrategy   = partStrategy[configMap, *configMap]{}
)

func (s mainStrategy[T, PT]) NamespaceScoped() bool { return !s.kind.ClusterScoped }

func (s mainStrategy[T, PT]) AllowCreateOnUpdate(context.Context) bool { return s.kind.CreateOnUpdate }

func (s mainStrategy[T, PT]) AllowUnconditionalUpdate(context.Context) bool {
	return s.kind.UnconditionalUpdate
}

func (s mainStrategy[T, PT]) PrepareForCreate(ctx context.Context, obj runtime.Object) {
	k, typed := s.kind, obj.(PT)
	if k.Status.set() {
		k.Status.clear((*T)(typed))
	}
	if k.counted() {
		typed.SetGeneration(1)
	}
	if k.Strategy.Prepare != nil {
		k.Strategy.Prepare(ctx, (*T)(typed), nil)
	}
}

func (s mainStrategy[T, PT]) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	k, typed, before := s.kind, obj.(PT), (*T)(old.(PT))
	if k.Status.set() {
		k.Status.copy((*T)(typed), before)
	}
	if k.Strategy.Prepare != nil {
		k.Strategy.Prepare(ctx, (*T)(typed), before)
	}
	if k.counted() && k.specChanged((*T)(typed), before) {
		typed.SetGeneration(PT(before).GetGeneration() + 1)
	}
}

func (s mainStrategy[T, PT]) Validate(ctx context.Context, obj runtime.Object) field.ErrorList {
	k, typed := s.kind, obj.(PT)
	validName := k.Strategy.ValidateName
	if validName == nil {
		validName = apivalidation.NameIsDNSSubdomain
	}
	errs := apivalidation.ValidateObjectMetaAccessor(typed, !k.ClusterScoped, validName, field.NewPath("metadata"))
	errs = append(errs, validateFinalizers(typed)...)
	if k.Strategy.Validate != nil {
		errs = append(errs, translate(ctx, k.Paths, k.Strategy.Validate(ctx, (*T)(typed)))...)
	}
	return errs
}

func (s mainStrategy[T, PT]) ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList {
	k, typed := s.kind, (*T)(obj.(PT))
	var errs field.ErrorList
	switch {
	case k.Strategy.ValidateUpdate != nil:
		errs = k.Strategy.ValidateUpdate(ctx, typed, (*T)(old.(PT)))
	case k.Strategy.Validate != nil:
		errs = k.Strategy.Validate(ctx, typed)
	}
	// The rest of metadata is checked by rest.BeforeUpdate.
	return append(validateFinalizers(obj.(PT)), translate(ctx, k.Paths, errs)...)
}

// validateFinalizers refuses names that are neither standard nor qualified, so
// that finalizers of different owners cannot clash.
func validateFinalizers(obj metav1.Object) field.ErrorList {
	var errs field.ErrorList
	for i, name := range obj.GetFinalizers() {
		switch name {
		case string(corev1.FinalizerKubernetes), metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents:
			continue
		}
		if !strings.Contains(name, "/") {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "finalizers").Index(i), name,
				"name is neither a standard finalizer name nor is it fully qualified"))
		}
	}
	return errs
}

func (s mainStrategy[T, PT]) WarningsOnCreate(ctx context.Context, obj runtime.Object) []string {
	if s.kind.Strategy.Warnings == nil {
		return nil
	}
	return s.kind.Strategy.Warnings(ctx, (*T)(obj.(PT)), nil)
}

func (s mainStrategy[T, PT]) WarningsOnUpdate(ctx context.Context, obj, old runtime.Object) []string {
	if s.kind.Strategy.Warnings == nil {
		return nil
	}
	return s.kind.Strategy.Warnings(ctx, (*T)(obj.(PT)), (*T)(old.(PT)))
}

func (s mainStrategy[T, PT]) Canonicalize(obj runtime.Object) {
	if s.kind.Strategy.Canonicalize != nil {
		s.kind.Strategy.Canonicalize((*T)(obj.(PT)))
	}
}

// GetResetFields returns what the main endpoint resets, for every served version:
// status, if there is one.
func (s mainStrategy[T, PT]) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	if !s.kind.Status.set() {
		return nil
	}
	out := map[fieldpath.APIVersion]*fieldpath.Set{}
	for _, gv := range s.kind.versions(s.Scheme) {
		out[fieldpath.APIVersion(gv.String())] = fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
	}
	return out
}

// DeclarativeValidationConfig implements rest.DeclarativeValidationStrategy.
func (s mainStrategy[T, PT]) DeclarativeValidationConfig(ctx context.Context, obj, old runtime.Object) rest.DeclarativeValidationConfig {
	return s.kind.declarative(ctx, obj, old)
}

func (k *kind[T, PT]) declarative(ctx context.Context, obj, old runtime.Object) rest.DeclarativeValidationConfig {
	if k.Strategy.Declarative == nil {
		return rest.DeclarativeValidationConfig{Options: k.gates()}
	}
	before, _ := old.(PT)
	config := k.Strategy.Declarative(ctx, (*T)(obj.(PT)), (*T)(before))
	options := maps.Clone(k.gates())
	maps.Copy(options, config.Options)
	config.Options = options
	return config
}

func (k *kind[T, PT]) counted() bool { return k.Spec.set() && !k.NoGeneration }

func (k *kind[T, PT]) specChanged(obj, old *T) bool {
	if k.Strategy.SpecChanged != nil {
		return k.Strategy.SpecChanged(obj, old)
	}
	return !k.Spec.equal(obj, old)
}

// partStrategy makes the update of one part of an object.
type partStrategy[T any, PT Object[T]] struct {
	rest.DeclarativeValidation
	kind *kind[T, PT]
	sub  Subresource[T]
	// declared says that the served types carry +k8s:supportsSubresource for it;
	// only then is there declarative validation for the part.
	declared bool
}

func (s partStrategy[T, PT]) NamespaceScoped() bool { return !s.kind.ClusterScoped }

func (s partStrategy[T, PT]) AllowCreateOnUpdate(context.Context) bool { return false }

func (s partStrategy[T, PT]) AllowUnconditionalUpdate(context.Context) bool {
	return s.kind.UnconditionalUpdate
}

// PrepareForUpdate rebuilds obj from old and takes over the part, the managed
// fields and, where the subresource says so, the rest of metadata.
func (s partStrategy[T, PT]) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	typed, before := obj.(PT), old.(PT)
	wanted := *typed
	*typed = *(before.DeepCopyObject().(PT))
	s.sub.Part.copy((*T)(typed), &wanted)
	meta := PT(&wanted)
	typed.SetManagedFields(meta.GetManagedFields())
	if s.sub.Metadata {
		typed.SetLabels(meta.GetLabels())
		typed.SetAnnotations(meta.GetAnnotations())
		typed.SetFinalizers(meta.GetFinalizers())
		typed.SetOwnerReferences(meta.GetOwnerReferences())
	}
	if s.sub.Prepare != nil {
		s.sub.Prepare(ctx, (*T)(typed), (*T)(before))
	}
}

func (s partStrategy[T, PT]) ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList {
	var errs field.ErrorList
	if s.sub.Metadata {
		errs = validateFinalizers(obj.(PT))
	}
	if s.sub.Validate != nil {
		errs = append(errs, translate(ctx, s.kind.Paths, s.sub.Validate(ctx, (*T)(obj.(PT)), (*T)(old.(PT))))...)
	}
	return errs
}

func (s partStrategy[T, PT]) ValidateDeclaratively(ctx context.Context, obj, old runtime.Object, errs field.ErrorList, op operation.Type, config rest.DeclarativeValidationConfig) field.ErrorList {
	if !s.declared {
		return errs
	}
	return s.DeclarativeValidation.ValidateDeclaratively(ctx, obj, old, errs, op, config)
}

// DeclarativeValidationConfig implements rest.DeclarativeValidationStrategy.
func (s partStrategy[T, PT]) DeclarativeValidationConfig(ctx context.Context, obj, old runtime.Object) rest.DeclarativeValidationConfig {
	return s.kind.declarative(ctx, obj, old)
}

func (s partStrategy[T, PT]) WarningsOnUpdate(ctx context.Context, obj, old runtime.Object) []string {
	if s.sub.Warnings == nil {
		return nil
	}
	return s.sub.Warnings(ctx, (*T)(obj.(PT)), (*T)(old.(PT)))
}

func (s partStrategy[T, PT]) Canonicalize(runtime.Object) {}
