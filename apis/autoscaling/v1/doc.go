// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:conversion-gen=github.com/stoa-project/stoa/apis/autoscaling
// +k8s:conversion-gen-external-types=k8s.io/api/autoscaling/v1

// Package v1 serves the types of k8s.io/api/autoscaling/v1.
package v1
