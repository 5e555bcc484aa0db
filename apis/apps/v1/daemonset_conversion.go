// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/apps"
)

// Convert_v1_DaemonSet_To_apps_DaemonSet refuses a count of templates that is no
// number: it is a number in an annotation.
func Convert_v1_DaemonSet_To_apps_DaemonSet(in *appsv1.DaemonSet, out *apps.DaemonSet, s conversion.Scope) error {
	if n, ok := in.Annotations[appsv1.DeprecatedTemplateGeneration]; ok {
		if _, err := strconv.ParseInt(n, 10, 64); err != nil {
			return err
		}
	}
	return autoConvert_v1_DaemonSet_To_apps_DaemonSet(in, out, s)
}
