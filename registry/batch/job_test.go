// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/batch"
)

// A new job selects by its UID; what the user wrote stays, to be judged.
func TestPrepareJob(t *testing.T) {
	t.Parallel()
	job := func() *batch.Job {
		return &batch.Job{ObjectMeta: metav1.ObjectMeta{Name: "j", UID: "u"}, Spec: batchv1.JobSpec{
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"job-name": "mine"}}},
		}}
	}
	obj := job()
	prepareJob(obj, nil)
	if diff := cmp.Diff(map[string]string{
		"job-name": "mine", "batch.kubernetes.io/job-name": "j", "controller-uid": "u", "batch.kubernetes.io/controller-uid": "u",
	}, obj.Spec.Template.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"batch.kubernetes.io/controller-uid": "u"}, obj.Spec.Selector.MatchLabels); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
	for name, old := range map[string]*batch.Job{"manual": nil, "update": job()} {
		obj := job()
		obj.Spec.ManualSelector = new(true)
		prepareJob(obj, old)
		if obj.Spec.Selector != nil || len(obj.Spec.Template.Labels) != 1 {
			t.Errorf("%s: %v, %v", name, obj.Spec.Selector, obj.Spec.Template.Labels)
		}
	}
}

func TestJobColumns(t *testing.T) {
	t.Parallel()
	job := &batch.Job{Spec: batchv1.JobSpec{Parallelism: new(int32(3))}, Status: batchv1.JobStatus{Succeeded: 2}}
	if got := jobCompletions(job); got != "2/1 of 3" {
		t.Errorf("completions: %v", got)
	}
	if got := jobState(job); got != "Running" {
		t.Errorf("state: %v", got)
	}
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue}, {Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
	if got := jobState(job); got != "Failed" {
		t.Errorf("state: %v", got)
	}
}
