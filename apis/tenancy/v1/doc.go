// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +k8s:conversion-gen=github.com/stoa-project/stoa/apis/tenancy
// +k8s:defaulter-gen=TypeMeta
// +k8s:validation-gen=TypesWithField=TypeMeta
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.stoa.tenancy.v1
// +k8s:prerelease-lifecycle-gen=true
// +groupName=tenancy.stoa.dev

// Package v1 is the version of tenancy.stoa.dev that is stored and preferred.
//
// tenant_types.go and grant_types.go describe every field for the users who
// read them with "kubectl explain"; the hub in the package above has the same
// shape. What a single field must satisfy is said by its tags; rules over
// several fields are in ../validation.
package v1
