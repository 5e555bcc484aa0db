// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_Secret makes a secret without a type an opaque one.
func SetDefaults_Secret(obj *corev1.Secret) {
	defaults.Value(&obj.Type, corev1.SecretTypeOpaque)
}
