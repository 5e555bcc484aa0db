// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_Namespace labels a namespace with its own name, so that
// selectors can name it. Like upstream it does so for every version and on
// reading too. An object made from generateName gets its name after defaulting,
// and its label from registry/core.
func SetDefaults_Namespace(obj *corev1.Namespace) {
	if obj.Name == "" {
		return
	}
	if obj.Labels == nil {
		obj.Labels = map[string]string{}
	}
	obj.Labels[corev1.LabelMetadataName] = obj.Name
}

// SetDefaults_NamespaceStatus makes a namespace active.
func SetDefaults_NamespaceStatus(obj *corev1.NamespaceStatus) {
	defaults.Value(&obj.Phase, corev1.NamespaceActive)
}
