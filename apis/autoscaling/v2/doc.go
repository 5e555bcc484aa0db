// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:conversion-gen=github.com/stoa-project/stoa/apis/autoscaling
// +k8s:conversion-gen-external-types=k8s.io/api/autoscaling/v2
// +k8s:defaulter-gen=TypeMeta
// +k8s:defaulter-gen-input=k8s.io/api/autoscaling/v2
// +k8s:validation-gen=TypesWithField=TypeMeta
// +k8s:validation-gen-input=k8s.io/api/autoscaling/v2

// Package v2 serves the types of k8s.io/api/autoscaling/v2. It holds only what that
// module does not: conversions to the hub, defaults and declarative validation.
package v2
