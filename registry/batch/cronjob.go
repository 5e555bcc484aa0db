// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"context"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/batch"
	"github.com/stoa-project/stoa/apis/batch/validation"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/podtemplate"
)

// CronJobs returns the kind CronJob.
func CronJobs() kind.Kind {
	return kind.New(kind.Definition[batch.CronJob]{
		Kind: "CronJob", Plural: "cronjobs", ShortNames: []string{"cj"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(c *batch.CronJob) *batchv1.CronJobSpec { return &c.Spec }),
		Status:              kind.PartOf(func(c *batch.CronJob) *batchv1.CronJobStatus { return &c.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[batch.CronJob]{
			Prepare: func(ctx context.Context, obj, old *batch.CronJob) {
				podtemplate.DropDisabled(cronJobTemplate)(ctx, obj, old)
				var before *batchv1.JobSpec
				if old != nil {
					before = &old.Spec.JobTemplate.Spec
				}
				dropScheduling(&obj.Spec.JobTemplate.Spec, before)
			},
			Validate: func(_ context.Context, obj *batch.CronJob) field.ErrorList {
				return validation.ValidateCronJob((*batchv1.CronJob)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *batch.CronJob) field.ErrorList {
				return validation.ValidateCronJobUpdate((*batchv1.CronJob)(obj), (*batchv1.CronJob)(old))
			},
			Warnings: func(_ context.Context, obj, old *batch.CronJob) []string {
				return validation.WarningsOnCronJob((*batchv1.CronJob)(obj), (*batchv1.CronJob)(old))
			},
		},
		Columns: cronJobColumns(),
	})
}

func cronJobTemplate(c *batch.CronJob) *corev1.PodTemplateSpec {
	return &c.Spec.JobTemplate.Spec.Template
}

func cronJobColumns() []kind.Column[batch.CronJob] {
	doc, status := batchv1.CronJobSpec{}.SwaggerDoc(), batchv1.CronJobStatus{}.SwaggerDoc()
	return slices.Concat([]kind.Column[batch.CronJob]{
		kind.Name[batch.CronJob](),
		{Name: "Schedule", Description: doc["schedule"], Value: func(c *batch.CronJob) any { return c.Spec.Schedule }},
		{Name: "Timezone", Description: doc["timeZone"], Value: func(c *batch.CronJob) any { return ptr.Deref(c.Spec.TimeZone, "<none>") }},
		{Name: "Suspend", Type: "boolean", Description: doc["suspend"], Value: func(c *batch.CronJob) any {
			switch {
			case c.Spec.Suspend == nil:
				return "<unset>"
			case *c.Spec.Suspend:
				return "True"
			default:
				return "False"
			}
		}},
		{Name: "Active", Type: "integer", Description: status["active"], Value: func(c *batch.CronJob) any { return len(c.Status.Active) }},
		{Name: "Last Schedule", Description: status["lastScheduleTime"], Value: func(c *batch.CronJob) any {
			if c.Status.LastScheduleTime == nil {
				return "<none>"
			}
			return kind.HumanAge(*c.Status.LastScheduleTime)
		}},
		kind.Age[batch.CronJob](),
	}, podtemplate.Columns(cronJobTemplate), []kind.Column[batch.CronJob]{
		podtemplate.Selector(batchv1.JobSpec{}.SwaggerDoc()["selector"], func(c *batch.CronJob) *metav1.LabelSelector { return c.Spec.JobTemplate.Spec.Selector }),
	})
}
