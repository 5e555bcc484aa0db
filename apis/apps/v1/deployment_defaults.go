// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// SetDefaults_Deployment makes an update replace a quarter of the pods at a time,
// and keep ten revisions to go back to.
func SetDefaults_Deployment(obj *appsv1.Deployment) {
	spec := &obj.Spec
	setDefault(&spec.Replicas, 1)
	if spec.Strategy.Type == "" {
		spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	}
	if spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		setDefault(&spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		setDefault(&spec.Strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
		setDefault(&spec.Strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
	}
	setDefault(&spec.RevisionHistoryLimit, 10)
	setDefault(&spec.ProgressDeadlineSeconds, 600)
}

// SetDefaults_ReplicaSet asks for one pod.
func SetDefaults_ReplicaSet(obj *appsv1.ReplicaSet) {
	setDefault(&obj.Spec.Replicas, 1)
}
