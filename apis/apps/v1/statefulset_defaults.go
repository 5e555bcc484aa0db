// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_StatefulSet makes pods come and go one after the other, and keeps
// their claims.
func SetDefaults_StatefulSet(obj *appsv1.StatefulSet) {
	spec := &obj.Spec
	defaults.Value(&spec.PodManagementPolicy, appsv1.OrderedReadyPodManagement)
	strategy := &spec.UpdateStrategy
	defaults.Value(&strategy.Type, appsv1.RollingUpdateStatefulSetStrategyType)
	if strategy.Type == appsv1.RollingUpdateStatefulSetStrategyType {
		defaults.Pointer(&strategy.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{})
		defaults.Pointer(&strategy.RollingUpdate.Partition, 0)
		defaults.Pointer(&strategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
	}
	defaults.Pointer(&spec.PersistentVolumeClaimRetentionPolicy, appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{})
	policy := spec.PersistentVolumeClaimRetentionPolicy
	for _, when := range []*appsv1.PersistentVolumeClaimRetentionPolicyType{&policy.WhenDeleted, &policy.WhenScaled} {
		if *when == "" {
			*when = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
		}
	}
	defaults.Pointer(&spec.Replicas, 1)
	defaults.Pointer(&spec.RevisionHistoryLimit, 10)
	// Claims are whole objects in the template; they are shown with their kind,
	// whatever the user wrote for it.
	for i := range spec.VolumeClaimTemplates {
		spec.VolumeClaimTemplates[i].TypeMeta = metav1.TypeMeta{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "PersistentVolumeClaim"}
	}
}
