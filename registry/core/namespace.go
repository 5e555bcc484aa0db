// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/core"
	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Namespaces returns the kind Namespace. It goes through more than other kinds to
// be deleted: see namespaceREST.
func Namespaces() kind.Kind {
	return kind.New(kind.Definition[core.Namespace]{
		Kind: "Namespace", Plural: "namespaces", ShortNames: []string{"ns"},
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(n *core.Namespace) *corev1.NamespaceSpec { return &n.Spec }),
		Status:              kind.PartOf(func(n *core.Namespace) *corev1.NamespaceStatus { return &n.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next three
		NoGeneration:        true,
		UnconditionalUpdate: true,
		ReturnsDeleted:      true,
		Subresources: []kind.Subresource[core.Namespace]{{
			Name: "finalize", Path: []string{"spec", "finalizers"}, UpdateOnly: true, Metadata: true,
			Part: kind.PartOf(func(n *core.Namespace) *[]corev1.FinalizerName { return &n.Spec.Finalizers }),
			Validate: func(_ context.Context, obj, _ *core.Namespace) field.ErrorList {
				return corevalidation.ValidateNamespaceFinalize((*corev1.Namespace)(obj))
			},
		}},
		Strategy: kind.Strategy[core.Namespace]{
			ValidateName: apivalidation.ValidateNamespaceName,
			Prepare:      prepareNamespace,
			Canonicalize: labelNamespace,
			Validate: func(_ context.Context, obj *core.Namespace) field.ErrorList {
				return corevalidation.ValidateNamespace((*corev1.Namespace)(obj))
			},
			ValidateStatus: func(_ context.Context, obj, _ *core.Namespace) field.ErrorList {
				return corevalidation.ValidateNamespaceStatus((*corev1.Namespace)(obj))
			},
		},
		Columns: []kind.Column[core.Namespace]{
			kind.Name[core.Namespace](),
			{Name: "Status", Description: "The status of the namespace",
				Value: func(n *core.Namespace) any { return string(n.Status.Phase) }},
			kind.Age[core.Namespace](),
		},
		Fields: []kind.Field[core.Namespace]{
			{Path: "status.phase", Value: func(n *core.Namespace) string { return string(n.Status.Phase) }},
		},
		Tune: func(store *genericregistry.Store) {
			store.ShouldDeleteDuringUpdate = func(ctx context.Context, key string, obj, existing runtime.Object) bool {
				return len(obj.(*core.Namespace).Spec.Finalizers) == 0 &&
					genericregistry.ShouldDeleteDuringUpdate(ctx, key, obj, existing)
			}
		},
		Main: func(r *kind.REST) rest.Storage { return &namespaceREST{store: r} },
	})
}

// prepareNamespace gives a new namespace its phase and the finalizer that keeps
// it until its contents are gone. Only /finalize changes finalizers later.
func prepareNamespace(_ context.Context, obj, old *core.Namespace) {
	if old != nil {
		obj.Spec.Finalizers = old.Spec.Finalizers
		return
	}
	obj.Status.Phase = corev1.NamespaceActive
	if !slices.Contains(obj.Spec.Finalizers, corev1.FinalizerKubernetes) {
		obj.Spec.Finalizers = append(obj.Spec.Finalizers, corev1.FinalizerKubernetes)
	}
}

// labelNamespace labels a namespace with its name, for selectors. Defaulting does it
// too, but not where the name was generated after it.
func labelNamespace(obj *core.Namespace) {
	if obj.Labels == nil {
		obj.Labels = map[string]string{}
	}
	obj.Labels[corev1.LabelMetadataName] = obj.Name
}
