// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_Deployment makes an update replace a quarter of the pods at a time,
// and keep ten revisions to go back to.
func SetDefaults_Deployment(obj *appsv1.Deployment) {
	spec := &obj.Spec
	defaults.Pointer(&spec.Replicas, 1)
	defaults.Value(&spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		defaults.Pointer(&spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		defaults.Pointer(&spec.Strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
		defaults.Pointer(&spec.Strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
	}
	defaults.Pointer(&spec.RevisionHistoryLimit, 10)
	defaults.Pointer(&spec.ProgressDeadlineSeconds, 600)
}

// SetDefaults_ReplicaSet asks for one pod.
func SetDefaults_ReplicaSet(obj *appsv1.ReplicaSet) {
	defaults.Pointer(&obj.Spec.Replicas, 1)
}
