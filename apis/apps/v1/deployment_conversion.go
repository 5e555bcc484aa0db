// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/apps"
)

// Convert_v1_Deployment_To_apps_Deployment refuses a revision to go back to that is
// no number: it is a number in an annotation.
func Convert_v1_Deployment_To_apps_Deployment(in *appsv1.Deployment, out *apps.Deployment, s conversion.Scope) error {
	if revision, ok := in.Annotations[appsv1.DeprecatedRollbackTo]; ok {
		if _, err := strconv.ParseInt(revision, 10, 64); err != nil {
			return fmt.Errorf("failed to parse annotation[%s]=%s as int64: %w", appsv1.DeprecatedRollbackTo, revision, err)
		}
	}
	return autoConvert_v1_Deployment_To_apps_Deployment(in, out, s)
}
