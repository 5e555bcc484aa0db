// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import corev1 "k8s.io/api/core/v1"

// SetDefaults_ConfigMap makes sure that data is never null, as upstream does:
// older clients read "data" without looking whether it is there.
func SetDefaults_ConfigMap(obj *corev1.ConfigMap) {
	if obj.Data == nil {
		obj.Data = map[string]string{}
	}
}
