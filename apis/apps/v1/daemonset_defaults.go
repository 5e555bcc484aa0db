// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_DaemonSet makes an update replace the pod of one node at a time.
func SetDefaults_DaemonSet(obj *appsv1.DaemonSet) {
	strategy := &obj.Spec.UpdateStrategy
	defaults.Value(&strategy.Type, appsv1.RollingUpdateDaemonSetStrategyType)
	if strategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		defaults.Pointer(&strategy.RollingUpdate, appsv1.RollingUpdateDaemonSet{})
		defaults.Pointer(&strategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		defaults.Pointer(&strategy.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	}
	defaults.Pointer(&obj.Spec.RevisionHistoryLimit, 10)
	// The strategy counts. That the annotation is there before makes it one that
	// its writer manages.
	if _, ok := obj.Annotations[appsv1.DeprecatedTemplateGeneration]; !ok {
		metav1.SetMetaDataAnnotation(&obj.ObjectMeta, appsv1.DeprecatedTemplateGeneration, "0")
	}
}
