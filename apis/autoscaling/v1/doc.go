// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:conversion-gen=github.com/stoa-project/stoa/apis/autoscaling
// +k8s:conversion-gen-external-types=k8s.io/api/autoscaling/v1
// +k8s:defaulter-gen=TypeMeta
// +k8s:defaulter-gen-input=k8s.io/api/autoscaling/v1
// +k8s:validation-gen=TypesWithField=TypeMeta
// +k8s:validation-gen-input=k8s.io/api/autoscaling/v1

// Package v1 serves the types of k8s.io/api/autoscaling/v1. An autoscaler of this
// version has fields for its CPU target alone; all else is in annotations.
package v1
