// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_PriorityClass lets pods of the class take the place of others.
func SetDefaults_PriorityClass(obj *schedulingv1.PriorityClass) {
	defaults.Pointer(&obj.PreemptionPolicy, corev1.PreemptLowerPriority)
}
