// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// podFields are the fields of pods that have a label, of which each user of
// references takes some.
//
//nolint:gochecknoglobals // constant
var podFields = []string{
	"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
	"spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName",
	"status.phase", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
}

// validateFieldRef judges a reference to a field of the pod itself, which must be
// one of the allowed, sorted ones, or one of its labels or annotations.
func validateFieldRef(ref *corev1.ObjectFieldSelector, path *field.Path, allowed ...string) field.ErrorList {
	if ref.APIVersion == "" {
		return requireFields(path, "apiVersion", "")
	}
	if ref.FieldPath == "" {
		return requireFields(path, "fieldPath", "")
	}
	name, key, subscript := splitSubscript(ref.FieldPath)
	unknown := ""
	switch {
	case ref.APIVersion != "v1":
		unknown = "unsupported pod version: " + ref.APIVersion
	case subscript && name != "metadata.annotations" && name != "metadata.labels":
		unknown = "field label does not support subscript: " + ref.FieldPath
	case !subscript && name == "spec.host": // of very old clients
		name = "spec.nodeName"
	case !subscript && !slices.Contains(podFields, name):
		unknown = "field label not supported: " + name
	}
	switch {
	case unknown != "":
		return field.ErrorList{field.Invalid(path.Child("fieldPath"), ref.FieldPath, "error converting fieldPath: "+unknown)}
	case subscript:
		if name == "metadata.annotations" {
			key = strings.ToLower(key)
		}
		return fielderrors.Each(path, key, validation.IsQualifiedName(key))
	case !slices.Contains(allowed, name):
		return field.ErrorList{field.NotSupported(path.Child("fieldPath"), name, allowed)}
	}
	return nil
}

// splitSubscript splits name['key'], if the path has that form.
func splitSubscript(path string) (name, key string, ok bool) {
	inner, ok := strings.CutSuffix(path, "']")
	if !ok {
		return path, "", false
	}
	name, key, ok = strings.Cut(inner, "['")
	if !ok || name == "" {
		return path, "", false
	}
	return name, key, true
}

// validateResourceFieldRef judges a reference to a request or limit of a container.
func validateResourceFieldRef(ref *corev1.ResourceFieldSelector, path *field.Path) field.ErrorList {
	known := []string{
		"limits.cpu", "limits.ephemeral-storage", "limits.memory",
		"requests.cpu", "requests.ephemeral-storage", "requests.memory",
	}
	var errs field.ErrorList
	switch {
	case ref.Resource == "":
		errs = append(errs, field.Required(path.Child("resource"), ""))
	case !slices.Contains(known, ref.Resource) && !isHugePages(ref.Resource):
		errs = append(errs, field.NotSupported(path.Child("resource"), ref.Resource, known))
	}
	return append(errs, validateDivisor(ref, path)...)
}

func isHugePages(resource string) bool {
	return strings.HasPrefix(resource, "limits.hugepages-") || strings.HasPrefix(resource, "requests.hugepages-")
}

// validateDivisor judges the unit in which a resource is given; none is 1.
func validateDivisor(ref *corev1.ResourceFieldSelector, path *field.Path) field.ErrorList {
	if ref.Divisor.IsZero() {
		return nil
	}
	units := []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
	_, resource, _ := strings.Cut(ref.Resource, ".")
	words := strings.Join(units, ", ")
	switch {
	case isHugePages(ref.Resource):
		resource = "hugepages"
	case !strings.HasPrefix(ref.Resource, "limits.") && !strings.HasPrefix(ref.Resource, "requests."):
		return nil
	case resource == "cpu":
		units, words = []string{"1m", "1"}, "1m and 1"
	case resource == "memory":
	case resource == "ephemeral-storage":
		resource = "local ephemeral storage"
	default:
		return nil
	}
	if slices.Contains(units, ref.Divisor.String()) {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("divisor"), ref.Resource,
		fmt.Sprintf("only divisor's values %s are supported with the %s resource", words, resource))}
}
