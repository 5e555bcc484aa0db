// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_HorizontalPodAutoscaler keeps one pod at least.
func SetDefaults_HorizontalPodAutoscaler(obj *autoscalingv1.HorizontalPodAutoscaler) {
	defaults.Pointer(&obj.Spec.MinReplicas, 1)
}
