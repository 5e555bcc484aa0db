// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"math"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// SetDefaults_Job asks for one pod that succeeds, in up to six attempts.
func SetDefaults_Job(obj *batchv1.Job) {
	spec := &obj.Spec
	if spec.Completions == nil && spec.Parallelism == nil {
		setDefault(&spec.Completions, 1)
	}
	setDefault(&spec.Parallelism, 1)
	if spec.BackoffLimitPerIndex != nil {
		setDefault(&spec.BackoffLimit, math.MaxInt32)
	}
	setDefault(&spec.BackoffLimit, 6)
	if len(obj.Labels) == 0 && spec.Template.Labels != nil {
		// The same map: the labels that the server adds to the template are labels
		// of the job then too.
		obj.Labels = spec.Template.Labels
	}
	setDefault(&spec.CompletionMode, batchv1.NonIndexedCompletion)
	setDefault(&spec.Suspend, false)
	if spec.PodFailurePolicy != nil {
		setDefault(&spec.PodReplacementPolicy, batchv1.Failed)
	}
	setDefault(&spec.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	setDefault(&spec.ManualSelector, false)
}

// SetDefaults_PodFailurePolicyOnPodConditionsPattern looks for conditions that hold.
func SetDefaults_PodFailurePolicyOnPodConditionsPattern(obj *batchv1.PodFailurePolicyOnPodConditionsPattern) {
	if obj.Status == "" {
		obj.Status = corev1.ConditionTrue
	}
}

// SetDefaults_CronJob lets jobs overlap, and keeps the last of them.
func SetDefaults_CronJob(obj *batchv1.CronJob) {
	if obj.Spec.ConcurrencyPolicy == "" {
		obj.Spec.ConcurrencyPolicy = batchv1.AllowConcurrent
	}
	setDefault(&obj.Spec.Suspend, false)
	setDefault(&obj.Spec.SuccessfulJobsHistoryLimit, 3)
	setDefault(&obj.Spec.FailedJobsHistoryLimit, 1)
}

// setDefault gives a field that is not set a value.
func setDefault[T any](to **T, value T) {
	if *to == nil {
		*to = &value
	}
}
