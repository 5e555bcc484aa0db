// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// WarningsOnJob returns what is unwise but no error in a job; old is nil on create.
func WarningsOnJob(obj, old *batchv1.Job) []string {
	path := field.NewPath("spec")
	switch {
	case old == nil:
		return append(corevalidation.WarningsForPodOwner(obj.Name), warningsOnJobSpec(path, &obj.Spec)...)
	case obj.Generation != old.Generation:
		return warningsOnJobSpec(path, &obj.Spec)
	}
	return nil
}

// WarningsOnCronJob returns what is unwise but no error in a cron job; old is nil on create.
func WarningsOnCronJob(obj, old *batchv1.CronJob) []string {
	path := field.NewPath("spec", "jobTemplate", "spec")
	var out []string
	switch {
	case old == nil:
		out = append(corevalidation.WarningsForPodOwner(obj.Name), warningsOnJobSpec(path, &obj.Spec.JobTemplate.Spec)...)
	case obj.Generation != old.Generation:
		out = warningsOnJobSpec(path, &obj.Spec.JobTemplate.Spec)
	}
	if strings.Contains(obj.Spec.Schedule, "TZ") {
		out = append(out, "CRON_TZ or TZ used in spec.schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details")
	}
	return out
}

func warningsOnJobSpec(path *field.Path, spec *batchv1.JobSpec) []string {
	var out []string
	if indexed(spec) && ptr.Deref(spec.Completions, 0) > maxIndexes && ptr.Deref(spec.Parallelism, 0) > maxIndexesOfHugeJobs {
		out = append(out, fmt.Sprintf("%s: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail", path))
	}
	return append(out, corevalidation.WarningsForPodTemplate(path.Child("template"), &spec.Template)...)
}
