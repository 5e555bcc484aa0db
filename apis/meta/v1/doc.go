// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:validation-gen=TypesWithField=ManagedFields
// +k8s:validation-gen-input=k8s.io/apimachinery/pkg/apis/meta/v1
// +k8s:validation-gen-scheme-registry=nil

// Package v1 holds what the generated code of the API groups needs for the types
// of meta/v1: their declarative validation, and how they convert. Nothing else
// uses it; the types are served from k8s.io/apimachinery.
package v1
