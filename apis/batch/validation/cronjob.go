// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateCronJob judges a new cron job.
func ValidateCronJob(obj *batchv1.CronJob) field.ErrorList {
	errs := validateCronJobSpec(&obj.Spec, nil)
	// Jobs get the name with the time, which is 11 characters, as a suffix. A cron
	// job that is there already may keep a longer name.
	const maxLength = validation.DNS1035LabelMaxLength - 11
	if len(obj.Name) > maxLength {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), obj.Name, validation.MaxLenError(maxLength)))
	}
	return errs
}

// ValidateCronJobUpdate judges a changed cron job.
func ValidateCronJobUpdate(obj, old *batchv1.CronJob) field.ErrorList {
	return validateCronJobSpec(&obj.Spec, &old.Spec)
}

func validateCronJobSpec(spec, old *batchv1.CronJobSpec) field.ErrorList {
	path := field.NewPath("spec")
	opts := corevalidation.PodTemplateOptions(&spec.JobTemplate.Spec.Template, nil)
	if old != nil {
		opts = corevalidation.PodTemplateOptions(&spec.JobTemplate.Spec.Template, &old.JobTemplate.Spec.Template)
	}
	var errs field.ErrorList
	if spec.Schedule == "" {
		// The tag of the served type says so too.
		errs = append(errs, field.Required(path.Child("schedule"), "").MarkCoveredByDeclarative().MarkBeta())
	} else {
		errs = append(errs, validateSchedule(spec, old != nil && strings.Contains(old.Schedule, "TZ"), path.Child("schedule"))...)
	}
	errs = append(errs, validateCounts(path, count{"startingDeadlineSeconds", spec.StartingDeadlineSeconds})...)
	if spec.TimeZone != nil && (old == nil || !ptr.Equal(old.TimeZone, spec.TimeZone)) {
		errs = append(errs, validateTimeZone(*spec.TimeZone, path.Child("timeZone"))...)
	}
	errs = append(errs, fielderrors.RequireOneOf(path.Child("concurrencyPolicy"), spec.ConcurrencyPolicy,
		batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent)...)
	job := path.Child("jobTemplate", "spec")
	errs = append(errs, validateJobSpec(&spec.JobTemplate.Spec, job, opts)...)
	if selector := spec.JobTemplate.Spec.Selector; selector != nil {
		errs = append(errs, field.Invalid(job.Child("selector"), selector, "`selector` will be auto-generated"))
	}
	if manual := spec.JobTemplate.Spec.ManualSelector; ptr.Deref(manual, false) {
		errs = append(errs, field.NotSupported(job.Child("manualSelector"), manual, []string{"nil", "false"}))
	}
	return append(errs, validateCounts(path, count{"successfulJobsHistoryLimit", widen(spec.SuccessfulJobsHistoryLimit)},
		count{"failedJobsHistoryLimit", widen(spec.FailedJobsHistoryLimit)})...)
}

// validateSchedule judges the schedule. Only one that had a time zone in it may
// keep it there.
func validateSchedule(spec *batchv1.CronJobSpec, zoned bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if err := parseSchedule(spec.Schedule); err != nil {
		errs = append(errs, field.Invalid(path, spec.Schedule, err.Error()))
	}
	if !strings.Contains(spec.Schedule, "TZ") {
		return errs
	}
	switch {
	case !zoned:
		errs = append(errs, field.Invalid(path, spec.Schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
	case spec.TimeZone != nil:
		errs = append(errs, field.Invalid(path, spec.Schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
	}
	return errs
}

// parseSchedule guards against the parser, which panics on some inputs, for
// example on "TZ=0".
func parseSchedule(schedule string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invalid schedule format: %v", r)
		}
	}()
	_, err = cron.ParseStandard(schedule)
	return err
}

// zonePart is what the time zone database allows between two slashes. Digits and
// the plus sign are in old names only.
var zonePart = regexp.MustCompile(`^[A-Za-z\.\-_0-9+]{1,14}$`)

func validateTimeZone(zone string, path *field.Path) field.ErrorList {
	if zone == "" {
		return field.ErrorList{field.Invalid(path, zone, "timeZone must be nil or non-empty string")}
	}
	for part := range strings.SplitSeq(zone, "/") {
		if part == "." || part == ".." || strings.HasPrefix(part, "-") || !zonePart.MatchString(part) {
			return field.ErrorList{field.Invalid(path, zone, "unknown time zone "+zone)}
		}
	}
	var errs field.ErrorList
	if strings.EqualFold(zone, "Local") {
		errs = append(errs, field.Invalid(path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"))
	}
	if _, err := time.LoadLocation(zone); err != nil {
		errs = append(errs, field.Invalid(path, zone, err.Error()))
	}
	return errs
}
