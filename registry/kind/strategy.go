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
type mainStrategy struct {
	rest.DeclarativeValidation
	names.NameGenerator
	kind *kind
}

var (
	_ rest.CreateUpdateResetFieldsStrategy = mainStrategy{}
	_ rest.DeclarativeValidationStrategy   = mainStrategy{}
	_ rest.RESTDeleteStrategy              = mainStrategy{}
	_ rest.RESTUpdateStrategy              = partStrategy{}
	_ rest.DeclarativeValidationStrategy   = partStrategy{}
)

func (s mainStrategy) NamespaceScoped() bool { return !s.kind.ClusterScoped }

func (s mainStrategy) AllowCreateOnUpdate(context.Context) bool { return s.kind.CreateOnUpdate }

func (s mainStrategy) AllowUnconditionalUpdate(context.Context) bool {
	return s.kind.UnconditionalUpdate
}

func (s mainStrategy) PrepareForCreate(ctx context.Context, obj runtime.Object) {
	k := s.kind
	if k.Status.set() && !k.StatusOnCreate {
		k.Status.clear(obj)
	}
	if k.counted() {
		obj.(metav1.Object).SetGeneration(1)
	}
	if k.Strategy.Prepare != nil {
		k.Strategy.Prepare(ctx, obj, nil)
	}
}

func (s mainStrategy) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	k := s.kind
	if k.Status.set() {
		k.Status.copy(obj, old)
	}
	if k.Strategy.Prepare != nil {
		k.Strategy.Prepare(ctx, obj, old)
	}
	if k.counted() && k.specChanged(obj, old) {
		obj.(metav1.Object).SetGeneration(old.(metav1.Object).GetGeneration() + 1)
	}
}

func (s mainStrategy) Validate(ctx context.Context, obj runtime.Object) field.ErrorList {
	k := s.kind
	validName := k.Strategy.ValidateName
	if validName == nil {
		validName = apivalidation.NameIsDNSSubdomain
	}
	errs := apivalidation.ValidateObjectMetaAccessor(obj.(metav1.Object), !k.ClusterScoped, validName, field.NewPath("metadata"))
	for i, e := range errs {
		if k.Strategy.NameFormat != "" && e.Field == "metadata.name" && e.Type == field.ErrorTypeInvalid {
			errs[i : i+1].WithOrigin("format=" + k.Strategy.NameFormat).MarkCoveredByDeclarative().MarkBeta()
		}
	}
	errs = append(errs, validateFinalizers(obj.(metav1.Object))...)
	if k.Strategy.Validate != nil {
		errs = append(errs, translate(ctx, k.Paths, k.Strategy.Validate(ctx, obj))...)
	}
	return errs
}

func (s mainStrategy) ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList {
	k := s.kind
	var errs field.ErrorList
	switch {
	case k.Strategy.ValidateUpdate != nil:
		errs = k.Strategy.ValidateUpdate(ctx, obj, old)
	case k.Strategy.Validate != nil:
		errs = k.Strategy.Validate(ctx, obj)
	}
	// The rest of metadata is checked by rest.BeforeUpdate.
	return append(validateFinalizers(obj.(metav1.Object)), translate(ctx, k.Paths, errs)...)
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

func (s mainStrategy) WarningsOnCreate(ctx context.Context, obj runtime.Object) []string {
	if s.kind.Strategy.Warnings == nil {
		return nil
	}
	return s.kind.Strategy.Warnings(ctx, obj, nil)
}

func (s mainStrategy) WarningsOnUpdate(ctx context.Context, obj, old runtime.Object) []string {
	if s.kind.Strategy.Warnings == nil {
		return nil
	}
	return s.kind.Strategy.Warnings(ctx, obj, old)
}

func (s mainStrategy) Canonicalize(obj runtime.Object) {
	if s.kind.Strategy.Canonicalize != nil {
		s.kind.Strategy.Canonicalize(obj)
	}
}

// GetResetFields returns what the main endpoint resets, for every served version:
// status, if there is one.
func (s mainStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
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
func (s mainStrategy) DeclarativeValidationConfig(ctx context.Context, obj, old runtime.Object) rest.DeclarativeValidationConfig {
	return s.kind.declarative(ctx, obj, old)
}

func (k *kind) declarative(ctx context.Context, obj, old runtime.Object) rest.DeclarativeValidationConfig {
	var config rest.DeclarativeValidationConfig
	if k.Strategy.Declarative != nil {
		config = k.Strategy.Declarative(ctx, obj, old)
	}
	if len(config.Options) == 0 {
		config.Options = k.gates // there are some hundred of them, copied only where one differs
		return config
	}
	options := maps.Clone(k.gates)
	maps.Copy(options, config.Options)
	config.Options = options
	return config
}

func (k *kind) counted() bool { return k.Spec.set() && !k.NoGeneration }

func (k *kind) specChanged(obj, old runtime.Object) bool {
	if k.Strategy.SpecChanged != nil {
		return k.Strategy.SpecChanged(obj, old)
	}
	return !k.Spec.equal(obj, old)
}

// partStrategy makes the update of one part of an object.
type partStrategy struct {
	rest.DeclarativeValidation
	kind *kind
	sub  subresource
	// declared says that the served types carry +k8s:supportsSubresource for it;
	// only then is there declarative validation for the part.
	declared bool
}

func (s partStrategy) NamespaceScoped() bool { return !s.kind.ClusterScoped }

func (s partStrategy) AllowCreateOnUpdate(context.Context) bool { return false }

func (s partStrategy) AllowUnconditionalUpdate(context.Context) bool {
	return s.kind.UnconditionalUpdate
}

// PrepareForUpdate rebuilds obj from old and takes over the part, the managed
// fields and, where the subresource says so, the rest of metadata.
func (s partStrategy) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	wanted := s.kind.newObject()
	s.kind.assign(wanted, obj)
	s.kind.assign(obj, old.DeepCopyObject())
	s.sub.Part.copy(obj, wanted)
	meta, from := obj.(metav1.Object), wanted.(metav1.Object)
	meta.SetManagedFields(from.GetManagedFields())
	if s.sub.Metadata {
		meta.SetLabels(from.GetLabels())
		meta.SetAnnotations(from.GetAnnotations())
		meta.SetFinalizers(from.GetFinalizers())
		meta.SetOwnerReferences(from.GetOwnerReferences())
	}
	if s.sub.Prepare != nil {
		s.sub.Prepare(ctx, obj, old)
	}
}

func (s partStrategy) ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList {
	var errs field.ErrorList
	if s.sub.Metadata {
		errs = validateFinalizers(obj.(metav1.Object))
	}
	if s.sub.Validate != nil {
		errs = append(errs, translate(ctx, s.kind.Paths, s.sub.Validate(ctx, obj, old))...)
	}
	return errs
}

func (s partStrategy) ValidateDeclaratively(ctx context.Context, obj, old runtime.Object, errs field.ErrorList, op operation.Type, config rest.DeclarativeValidationConfig) field.ErrorList {
	if !s.declared {
		return errs
	}
	return s.DeclarativeValidation.ValidateDeclaratively(ctx, obj, old, errs, op, config)
}

// DeclarativeValidationConfig implements rest.DeclarativeValidationStrategy.
func (s partStrategy) DeclarativeValidationConfig(ctx context.Context, obj, old runtime.Object) rest.DeclarativeValidationConfig {
	return s.kind.declarative(ctx, obj, old)
}

func (s partStrategy) WarningsOnUpdate(ctx context.Context, obj, old runtime.Object) []string {
	if s.sub.Warnings == nil {
		return nil
	}
	return s.sub.Warnings(ctx, obj, old)
}

func (s partStrategy) Canonicalize(runtime.Object) {}
