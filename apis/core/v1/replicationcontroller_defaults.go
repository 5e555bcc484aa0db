// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
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
	if obj.Spec.Replicas == nil {
		obj.Spec.Replicas = ptr.To[int32](1)
	}
}
