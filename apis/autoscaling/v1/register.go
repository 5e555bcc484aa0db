// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SchemeGroupVersion is the version this package serves.
var SchemeGroupVersion = autoscalingv1.SchemeGroupVersion

var (
	// SchemeBuilder collects what registers the version.
	SchemeBuilder      = runtime.NewSchemeBuilder(autoscalingv1.AddToScheme)
	localSchemeBuilder = &SchemeBuilder
	// AddToScheme registers types and conversions.
	AddToScheme = localSchemeBuilder.AddToScheme
)
