// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// WarningsOnStatefulSet returns what is unwise but no error in what is not the
// template of its pods.
func WarningsOnStatefulSet(obj *appsv1.StatefulSet) []string {
	var out []string
	for i := range obj.Spec.VolumeClaimTemplates {
		// Kubernetes writes Spec with a capital letter.
		path := field.NewPath("spec", "volumeClaimTemplates").Index(i).Child("Spec")
		out = append(out, warningsOnClaim(&obj.Spec.VolumeClaimTemplates[i].Spec, path)...)
	}
	if ptr.Deref(obj.Spec.RevisionHistoryLimit, 0) < 0 {
		out = append(out, "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
	}
	return out
}

// warningsOnClaim warns of fractions of bytes, which nobody means.
func warningsOnClaim(spec *corev1.PersistentVolumeClaimSpec, path *field.Path) []string {
	var out []string
	warn := func(list corev1.ResourceList, name string) {
		if size := list[corev1.ResourceStorage]; size.MilliValue()%1000 != 0 {
			out = append(out, fmt.Sprintf("%s: fractional byte value %q is invalid, must be an integer",
				path.Child("resources", name).Key(string(corev1.ResourceStorage)), size.String()))
		}
	}
	warn(spec.Resources.Requests, "requests")
	warn(spec.Resources.Limits, "limits")
	return out
}
