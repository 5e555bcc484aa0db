// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=com.example.garden.v1
// +groupName=garden.example.com

// Package v1 is the served version of garden.example.com: what users write, and
// what is stored.
package v1
