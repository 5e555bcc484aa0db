// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// WarningsOnJob returns what is unwise but no error in a job; old is nil on create.
func WarningsOnJob(ctx context.Context, obj, old *batchv1.Job) []string {
	if old != nil {
		if obj.Generation == old.Generation {
			return nil
		}
		return warningsOnJobSpec(ctx, field.NewPath("spec"), &obj.Spec, &old.Spec)
	}
	return append(warningsOnName(obj.Name), warningsOnJobSpec(ctx, field.NewPath("spec"), &obj.Spec, nil)...)
}

// WarningsOnCronJob returns what is unwise but no error in a cron job; old is nil on create.
func WarningsOnCronJob(ctx context.Context, obj, old *batchv1.CronJob) []string {
	path := field.NewPath("spec", "jobTemplate", "spec")
	var out []string
	switch {
	case old == nil:
		out = append(warningsOnName(obj.Name), warningsOnJobSpec(ctx, path, &obj.Spec.JobTemplate.Spec, nil)...)
	case obj.Generation != old.Generation:
		out = warningsOnJobSpec(ctx, path, &obj.Spec.JobTemplate.Spec, &old.Spec.JobTemplate.Spec)
	}
	if strings.Contains(obj.Spec.Schedule, "TZ") {
		out = append(out, "CRON_TZ or TZ used in spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details")
	}
	return out
}

func warningsOnName(name string) []string {
	if msgs := validation.IsDNS1123Label(name); len(msgs) > 0 {
		return []string{fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", msgs)}
	}
	return nil
}

func warningsOnJobSpec(ctx context.Context, path *field.Path, spec, old *batchv1.JobSpec) []string {
	var out []string
	if indexed(spec) && ptr.Deref(spec.Completions, 0) > maxIndexes && ptr.Deref(spec.Parallelism, 0) > maxIndexesOfHugeJobs {
		out = append(out, fmt.Sprintf("%s: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail", path))
	}
	var before *corev1.PodTemplateSpec
	if old != nil {
		before = &old.Template
	}
	return append(out, corevalidation.WarningsForPodTemplate(ctx, path.Child("template"), &spec.Template, before)...)
}
