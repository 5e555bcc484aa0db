// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tolerationrestriction

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// merge leaves out tolerations that others cover: of equal ones the later.
func merge(all []corev1.Toleration) []corev1.Toleration {
	var out []corev1.Toleration
	for i, toleration := range all {
		before := slices.ContainsFunc(out, func(other corev1.Toleration) bool { return covers(other, toleration) })
		after := slices.ContainsFunc(all[i+1:], func(other corev1.Toleration) bool {
			return !apiequality.Semantic.DeepEqual(other, toleration) && covers(other, toleration)
		})
		if !before && !after {
			out = append(out, toleration)
		}
	}
	return out
}

// covers says whether all that a toleration tolerates is tolerated by the wider one.
func covers(wider, toleration corev1.Toleration) bool {
	if apiequality.Semantic.DeepEqual(wider, toleration) {
		return true
	}
	anyKey := wider.Key == "" && wider.Operator == corev1.TolerationOpExists
	if wider.Key != toleration.Key && !anyKey || wider.Effect != toleration.Effect && wider.Effect != "" {
		return false
	}
	if wider.Effect == corev1.TaintEffectNoExecute && wider.TolerationSeconds != nil &&
		(toleration.TolerationSeconds == nil || *toleration.TolerationSeconds > *wider.TolerationSeconds) {
		return false
	}
	switch wider.Operator {
	case corev1.TolerationOpExists:
		return true
	case corev1.TolerationOpEqual, "":
		return toleration.Operator == corev1.TolerationOpEqual && toleration.Value == wider.Value
	}
	return false
}
