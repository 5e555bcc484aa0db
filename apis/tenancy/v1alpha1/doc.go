// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +k8s:conversion-gen=github.com/stoa-project/stoa/apis/tenancy
// +k8s:defaulter-gen=TypeMeta
// +k8s:validation-gen=TypesWithField=TypeMeta
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.stoa.tenancy.v1alpha1
// +k8s:prerelease-lifecycle-gen=true
// +groupName=tenancy.stoa.dev

// Package v1alpha1 is a flat version of tenancy.stoa.dev: owners are strings,
// and the limits stand directly in the spec.
//
// It says less than the hub. What it has no field for travels in one reserved
// annotation of the object (RestAnnotation), so that reading a tenant in
// v1alpha1 and writing it back loses nothing; conversion moves it out of the
// hub and back. FieldPaths translates the field paths of validation errors.
//
// Start at tenant_types.go and tenant_conversion.go.
package v1alpha1
