// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/batch"
	"github.com/stoa-project/stoa/apis/batch/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// Jobs returns the kind Job.
func Jobs() kind.Kind {
	return kind.New(kind.Definition[batch.Job]{
		Kind: "Job", Plural: "jobs", Categories: []string{"all"},
		Spec:                kind.PartOf(func(j *batch.Job) *batchv1.JobSpec { return &j.Spec }),
		Status:              kind.PartOf(func(j *batch.Job) *batchv1.JobStatus { return &j.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		// Kept since the version in which it was so for everything.
		GarbageCollection: func(context.Context) rest.GarbageCollectionPolicy { return rest.OrphanDependents },
		Main:              func(r *kind.REST) rest.Storage { return &jobREST{r} },
		Strategy: kind.Strategy[batch.Job]{
			Prepare: func(ctx context.Context, obj, old *batch.Job) {
				podtemplate.DropDisabled(jobTemplate)(ctx, obj, old)
				prepareJob(obj, old)
			},
			Validate: func(_ context.Context, obj *batch.Job) field.ErrorList {
				return validation.ValidateJob((*batchv1.Job)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *batch.Job) field.ErrorList {
				return validation.ValidateJobUpdate((*batchv1.Job)(obj), (*batchv1.Job)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *batch.Job) field.ErrorList {
				return validation.ValidateJobStatus((*batchv1.Job)(obj), (*batchv1.Job)(old))
			},
			Warnings: func(_ context.Context, obj, old *batch.Job) []string {
				return validation.WarningsOnJob((*batchv1.Job)(obj), (*batchv1.Job)(old))
			},
		},
		Fields: []kind.Field[batch.Job]{
			{Path: "status.successful", Value: func(j *batch.Job) string { return strconv.Itoa(int(j.Status.Succeeded)) }},
		},
		Columns: slices.Concat([]kind.Column[batch.Job]{
			kind.Name[batch.Job](),
			{Name: "Status", Description: "Status of the job.", Value: jobState},
			{Name: "Completions", Description: batchv1.JobStatus{}.SwaggerDoc()["succeeded"], Value: jobCompletions},
			{Name: "Duration", Description: "Time required to complete the job.", Value: jobDuration},
			kind.Age[batch.Job](),
		}, podtemplate.Columns(jobTemplate), []kind.Column[batch.Job]{
			podtemplate.Selector(batchv1.JobSpec{}.SwaggerDoc()["selector"], func(j *batch.Job) *metav1.LabelSelector { return j.Spec.Selector }),
		}),
	})
}

func jobTemplate(j *batch.Job) *corev1.PodTemplateSpec { return &j.Spec.Template }

// dropScheduling clears what belongs to a feature that is switched off; old is nil
// on create.
func dropScheduling(spec, old *batchv1.JobSpec) {
	if !features.Enabled(features.WorkloadWithJob) && (old == nil || old.Scheduling == nil) {
		spec.Scheduling = nil
	}
}

// prepareJob gives a new job the selector that no other job has, unless the user
// chose one.
func prepareJob(obj, old *batch.Job) {
	if old != nil {
		dropScheduling(&obj.Spec, &old.Spec)
		return
	}
	dropScheduling(&obj.Spec, nil)
	if ptr.Deref(obj.Spec.ManualSelector, false) {
		return
	}
	// Where the user wrote one of the labels, with another value perhaps, it stays;
	// validation compares.
	if obj.Spec.Template.Labels == nil {
		obj.Spec.Template.Labels = map[string]string{}
	}
	for label, value := range map[string]string{
		validation.LegacyJobNameLabel: obj.Name, batchv1.JobNameLabel: obj.Name,
		validation.LegacyControllerUIDLabel: string(obj.UID), batchv1.ControllerUidLabel: string(obj.UID),
	} {
		if _, ok := obj.Spec.Template.Labels[label]; !ok {
			obj.Spec.Template.Labels[label] = value
		}
	}
	selector := ptr.Deref(obj.Spec.Selector, metav1.LabelSelector{})
	selector.MatchLabels = maps.Clone(selector.MatchLabels)
	if selector.MatchLabels == nil {
		selector.MatchLabels = map[string]string{}
	}
	if _, ok := selector.MatchLabels[batchv1.ControllerUidLabel]; !ok {
		selector.MatchLabels[batchv1.ControllerUidLabel] = string(obj.UID)
	}
	obj.Spec.Selector = &selector
}

func jobState(j *batch.Job) any {
	holds := func(kind batchv1.JobConditionType) bool {
		return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == kind && c.Status == corev1.ConditionTrue
		})
	}
	switch {
	case holds(batchv1.JobComplete):
		return "Complete"
	case holds(batchv1.JobFailed):
		return "Failed"
	case j.DeletionTimestamp != nil:
		return "Terminating"
	case holds(batchv1.JobSuspended):
		return "Suspended"
	case holds(batchv1.JobFailureTarget):
		return "FailureTarget"
	case holds(batchv1.JobSuccessCriteriaMet):
		return "SuccessCriteriaMet"
	default:
		return "Running"
	}
}

func jobCompletions(j *batch.Job) any {
	if j.Spec.Completions != nil {
		return fmt.Sprintf("%d/%d", j.Status.Succeeded, *j.Spec.Completions)
	}
	if parallelism := ptr.Deref(j.Spec.Parallelism, 0); parallelism > 1 {
		return fmt.Sprintf("%d/1 of %d", j.Status.Succeeded, parallelism)
	}
	return fmt.Sprintf("%d/1", j.Status.Succeeded)
}

func jobDuration(j *batch.Job) any {
	switch start, end := j.Status.StartTime, j.Status.CompletionTime; {
	case start == nil:
		return ""
	case end == nil:
		return duration.HumanDuration(time.Since(start.Time))
	default:
		return duration.HumanDuration(end.Sub(start.Time))
	}
}
