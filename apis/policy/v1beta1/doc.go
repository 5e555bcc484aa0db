// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=io.k8s.api.policy.v1beta1
// +groupName=policy

// Package v1beta1 holds the kind PodSecurityPolicy as Kubernetes 1.24 had it last.
// k8s.io/api does not have the types any more. Nothing here is registered in a scheme
// or served unless the admission plugin PodSecurityPolicy is switched on.
package v1beta1
