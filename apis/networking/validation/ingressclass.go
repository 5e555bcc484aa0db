// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

const maxControllerLength = 250

// ValidateIngressClass judges a new class.
func ValidateIngressClass(obj *networkingv1.IngressClass) field.ErrorList {
	path := field.NewPath("spec", "controller")
	var errs field.ErrorList
	if controller := obj.Spec.Controller; controller == "" {
		errs = append(errs, field.Required(path, ""))
	} else {
		if len(controller) > maxControllerLength {
			errs = append(errs, field.TooLong(path, "" /* not printed */, maxControllerLength))
		}
		errs = append(errs, validation.IsDomainPrefixedPath(path, controller)...)
	}
	if obj.Spec.Parameters == nil {
		return errs
	}
	return append(errs, validateParameters(obj.Spec.Parameters, field.NewPath("spec", "parameters"))...)
}

// ValidateIngressClassUpdate judges a changed class.
func ValidateIngressClassUpdate(obj, old *networkingv1.IngressClass) field.ErrorList {
	errs := apivalidation.ValidateImmutableField(obj.Spec.Controller, old.Spec.Controller, field.NewPath("spec", "controller"))
	return append(errs, ValidateIngressClass(obj)...)
}

func validateParameters(ref *networkingv1.IngressClassParametersReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if ref.APIGroup != nil {
		errs = fielderrors.Each(path.Child("apiGroup"), *ref.APIGroup, validation.IsDNS1123Subdomain(*ref.APIGroup))
	}
	errs = append(errs, requireSegment(ref.Kind, path.Child("kind"))...)
	errs = append(errs, requireSegment(ref.Name, path.Child("name"))...)
	if ref.Scope == nil {
		return append(errs, field.Required(path.Child("scope"), ""))
	}
	const cluster, namespace = networkingv1.IngressClassParametersReferenceScopeCluster, networkingv1.IngressClassParametersReferenceScopeNamespace
	errs = append(errs, fielderrors.OneOf(path.Child("scope"), *ref.Scope, cluster, namespace)...)
	path = path.Child("namespace")
	switch {
	case *ref.Scope == namespace && ref.Namespace == nil:
		errs = append(errs, field.Required(path, "`parameters.scope` is set to 'Namespace'"))
	case *ref.Scope == namespace:
		errs = append(errs, fielderrors.Each(path, *ref.Namespace, apivalidation.ValidateNamespaceName(*ref.Namespace, false))...)
	case *ref.Scope == cluster && ref.Namespace != nil:
		errs = append(errs, field.Forbidden(path, "`parameters.scope` is set to 'Cluster'"))
	}
	return errs
}

// requireSegment judges what becomes a part of a URL, and is required by a tag too.
func requireSegment(value string, path *field.Path) field.ErrorList {
	if value == "" {
		return field.ErrorList{required(path)}
	}
	return fielderrors.Each(path, value, content.IsPathSegmentName(value))
}
