// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"math"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_Job asks for one pod that succeeds, in up to six attempts.
func SetDefaults_Job(obj *batchv1.Job) {
	spec := &obj.Spec
	if spec.Completions == nil && spec.Parallelism == nil {
		defaults.Pointer(&spec.Completions, 1)
	}
	defaults.Pointer(&spec.Parallelism, 1)
	if spec.BackoffLimitPerIndex != nil {
		defaults.Pointer(&spec.BackoffLimit, math.MaxInt32)
	}
	defaults.Pointer(&spec.BackoffLimit, 6)
	if len(obj.Labels) == 0 && spec.Template.Labels != nil {
		// The same map: the labels that the server adds to the template are labels
		// of the job then too.
		obj.Labels = spec.Template.Labels
	}
	defaults.Pointer(&spec.CompletionMode, batchv1.NonIndexedCompletion)
	defaults.Pointer(&spec.Suspend, false)
	if spec.PodFailurePolicy != nil {
		defaults.Pointer(&spec.PodReplacementPolicy, batchv1.Failed)
	}
	defaults.Pointer(&spec.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	defaults.Pointer(&spec.ManualSelector, false)
}

// SetDefaults_PodFailurePolicyOnPodConditionsPattern looks for conditions that hold.
func SetDefaults_PodFailurePolicyOnPodConditionsPattern(obj *batchv1.PodFailurePolicyOnPodConditionsPattern) {
	defaults.Value(&obj.Status, corev1.ConditionTrue)
}

// SetDefaults_CronJob lets jobs overlap, and keeps the last of them.
func SetDefaults_CronJob(obj *batchv1.CronJob) {
	defaults.Value(&obj.Spec.ConcurrencyPolicy, batchv1.AllowConcurrent)
	defaults.Pointer(&obj.Spec.Suspend, false)
	defaults.Pointer(&obj.Spec.SuccessfulJobsHistoryLimit, 3)
	defaults.Pointer(&obj.Spec.FailedJobsHistoryLimit, 1)
}
