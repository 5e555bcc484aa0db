// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_ReplicationController asks for one pod, and takes selector and
// labels from the template.
func SetDefaults_ReplicationController(obj *corev1.ReplicationController) {
	if template := obj.Spec.Template; template != nil && template.Labels != nil {
		if len(obj.Spec.Selector) == 0 {
			obj.Spec.Selector = template.Labels
		}
		if len(obj.Labels) == 0 {
			obj.Labels = template.Labels
		}
	}
	defaults.Pointer(&obj.Spec.Replicas, 1)
}
