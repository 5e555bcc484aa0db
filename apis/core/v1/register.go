// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SchemeGroupVersion is the version this package serves.
var SchemeGroupVersion = corev1.SchemeGroupVersion

var (
	// SchemeBuilder collects what registers the version. It starts from the
	// builder of k8s.io/api instead of adding to it: that one is shared with
	// every other user of the module in the process.
	SchemeBuilder      = runtime.NewSchemeBuilder(corev1.AddToScheme)
	localSchemeBuilder = &SchemeBuilder
	// AddToScheme registers types, conversions, defaults and validations.
	AddToScheme = localSchemeBuilder.AddToScheme
)

// Conversions and validations are registered by their generated files.
func init() {
	localSchemeBuilder.Register(RegisterDefaults)
}
