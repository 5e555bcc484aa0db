// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// statusChange is a write to the status of a job. Several controllers may write
// it, so what they write must fit together. A rule is asked only when a field
// that it is about changes: others may be in a state that a change of the spec has
// just made wrong, and that the controller is about to mend.
type statusChange struct {
	obj, old *batchv1.Job
	path     *field.Path
	errs     field.ErrorList
}

// ValidateJobStatus judges a changed status.
func ValidateJobStatus(obj, old *batchv1.Job) field.ErrorList {
	c := &statusChange{obj: obj, old: old, path: field.NewPath("status")}
	s := &obj.Status
	c.errs = validateCounts(c.path, count{"active", widen(&s.Active)}, count{"succeeded", widen(&s.Succeeded)}, count{"failed", widen(&s.Failed)},
		count{"ready", widen(s.Ready)}, count{"terminating", widen(s.Terminating)})
	c.validateUncounted()
	c.validateCompletion()
	c.validateFinished()
	c.validateIndexes()
	c.validatePods()
	c.validateSuccessCriteria()
	c.validateHistory()
	return c.errs
}

func (c *statusChange) invalid(name string, value any, detail string) {
	c.errs = append(c.errs, field.Invalid(c.path.Child(name), value, detail))
}

func (c *statusChange) conditions(detail string) {
	c.invalid("conditions", field.OmitValueType{}, detail)
}

func conditionIs(job *batchv1.Job, kind batchv1.JobConditionType, status corev1.ConditionStatus) bool {
	for _, condition := range job.Status.Conditions {
		if condition.Type == kind && condition.Status == status {
			return true
		}
	}
	return false
}

// is says whether the new status has a condition, was whether the old one had it.
func (c *statusChange) is(kind batchv1.JobConditionType) bool {
	return conditionIs(c.obj, kind, corev1.ConditionTrue)
}

func (c *statusChange) was(kind batchv1.JobConditionType) bool {
	return conditionIs(c.old, kind, corev1.ConditionTrue)
}

func (c *statusChange) turned(kind batchv1.JobConditionType) bool { return c.is(kind) != c.was(kind) }

func (c *statusChange) finished() bool { return c.is(batchv1.JobComplete) || c.is(batchv1.JobFailed) }

func (c *statusChange) finishedTurned() bool {
	return c.finished() != (c.was(batchv1.JobComplete) || c.was(batchv1.JobFailed))
}

func (c *statusChange) startTimeChanged() bool {
	return !c.obj.Status.StartTime.Equal(c.old.Status.StartTime)
}

func (c *statusChange) completionTimeChanged() bool {
	return !c.obj.Status.CompletionTime.Equal(c.old.Status.CompletionTime)
}

func (c *statusChange) validateUncounted() {
	pods := c.obj.Status.UncountedTerminatedPods
	if pods == nil {
		return
	}
	seen := sets.New[types.UID]()
	check := func(uids []types.UID, name string) {
		for i, uid := range uids {
			path := c.path.Child("uncountedTerminatedPods", name).Index(i)
			switch {
			case uid == "":
				c.errs = append(c.errs, field.Invalid(path, uid, "must not be empty"))
			case seen.Has(uid):
				c.errs = append(c.errs, field.Duplicate(path, uid))
			}
			seen.Insert(uid)
		}
	}
	check(pods.Succeeded, "succeeded")
	check(pods.Failed, "failed")
}

func (c *statusChange) validateCompletion() {
	s := &c.obj.Status
	complete, failed, failing := c.is(batchv1.JobComplete), c.is(batchv1.JobFailed), c.is(batchv1.JobFailureTarget)
	completeTurned := c.turned(batchv1.JobComplete)
	if complete && failed && (completeTurned || c.turned(batchv1.JobFailed)) {
		c.conditions("cannot set Complete=True and Failed=true conditions")
	}
	if complete && failing && (completeTurned || c.turned(batchv1.JobFailureTarget)) {
		c.conditions("cannot set Complete=True and FailureTarget=true conditions")
	}
	if completeTurned || c.completionTimeChanged() {
		if s.CompletionTime != nil && !complete {
			c.invalid("completionTime", s.CompletionTime, "cannot set completionTime when there is no Complete=True condition")
		}
		if s.CompletionTime == nil && complete {
			c.errs = append(c.errs, field.Required(c.path.Child("completionTime"), "completionTime is required for Complete jobs"))
		}
	}
	if (c.startTimeChanged() || c.completionTimeChanged()) && s.StartTime != nil && s.CompletionTime != nil && s.CompletionTime.Before(s.StartTime) {
		c.invalid("completionTime", s.CompletionTime, "must be equal to or after `startTime`")
	}
	if failed && !failing && (c.turned(batchv1.JobFailed) || !ptr.Equal(s.FailedIndexes, c.old.Status.FailedIndexes)) {
		c.conditions("cannot set Failed=True condition without the FailureTarget=true condition")
	}
	if complete && !c.is(batchv1.JobSuccessCriteriaMet) && (completeTurned || c.turned(batchv1.JobSuccessCriteriaMet)) {
		c.conditions("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
	}
}

func (c *statusChange) validateFinished() {
	if !c.finished() {
		return
	}
	s, old, turned := &c.obj.Status, &c.old.Status, c.finishedTurned()
	if s.Active > 0 && (turned || s.Active != old.Active) {
		c.invalid("active", s.Active, "active>0 is invalid for finished job")
	}
	// A suspended job without completions is finished before it ever starts.
	idle := ptr.Deref(c.obj.Spec.Suspend, false) && ptr.Equal(c.obj.Spec.Completions, ptr.To[int32](0))
	if s.StartTime == nil && (turned || c.startTimeChanged()) && !idle {
		c.errs = append(c.errs, field.Required(c.path.Child("startTime"), "startTime is required for finished job"))
	}
	if pods := s.UncountedTerminatedPods; pods != nil && len(pods.Succeeded)+len(pods.Failed) > 0 &&
		(turned || !apiequality.Semantic.DeepEqual(pods, old.UncountedTerminatedPods)) {
		c.invalid("uncountedTerminatedPods", pods, "must be empty for finished job")
	}
}

func (c *statusChange) validateIndexes() {
	s, spec := &c.obj.Status, &c.obj.Spec
	completedChanged, failedChanged := s.CompletedIndexes != c.old.Status.CompletedIndexes, !ptr.Equal(s.FailedIndexes, c.old.Status.FailedIndexes)
	if completedChanged && spec.Completions != nil {
		if _, err := countIndexes(s.CompletedIndexes, *spec.Completions); err != nil {
			c.invalid("completedIndexes", s.CompletedIndexes, "error parsing completedIndexes: "+err.Error())
		}
	}
	if failedChanged && spec.Completions != nil && spec.BackoffLimitPerIndex != nil && s.FailedIndexes != nil {
		if _, err := countIndexes(*s.FailedIndexes, *spec.Completions); err != nil {
			c.invalid("failedIndexes", s.FailedIndexes, "error parsing failedIndexes: "+err.Error())
		}
	}
	if completedChanged && s.CompletedIndexes != "" && !indexed(spec) {
		c.invalid("completedIndexes", s.CompletedIndexes, "cannot set non-empty completedIndexes when non-indexed completion mode")
	}
	if failedChanged && spec.BackoffLimitPerIndex == nil && s.FailedIndexes != nil {
		c.invalid("failedIndexes", *s.FailedIndexes, "cannot set non-null failedIndexes when backoffLimitPerIndex is null")
	}
	if (failedChanged || completedChanged) && spec.Completions != nil && s.FailedIndexes != nil {
		if err := overlap(s.CompletedIndexes, *s.FailedIndexes, *spec.Completions); err != nil {
			c.invalid("failedIndexes", *s.FailedIndexes, err.Error())
		}
	}
}

func (c *statusChange) validatePods() {
	s, old := &c.obj.Status, &c.old.Status
	if c.finished() && ptr.Deref(s.Terminating, 0) > 0 && (c.finishedTurned() || !ptr.Equal(s.Terminating, old.Terminating)) {
		c.invalid("terminating", s.Terminating, "terminating>0 is invalid for finished job")
	}
	if s.Ready != nil && *s.Ready > s.Active && (!ptr.Equal(s.Ready, old.Ready) || s.Active != old.Active) {
		c.invalid("ready", *s.Ready, "cannot set more ready pods than active")
	}
}

func (c *statusChange) validateSuccessCriteria() {
	met := c.is(batchv1.JobSuccessCriteriaMet)
	if met && c.is(batchv1.JobFailed) {
		c.conditions("cannot set SuccessCriteriaMet=True and Failed=true conditions")
	}
	if met && c.is(batchv1.JobFailureTarget) {
		c.conditions("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
	}
	if c.obj.Spec.SuccessPolicy != nil && !met && c.is(batchv1.JobComplete) {
		c.conditions("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
	}
}

// validateHistory refuses to take back what was reported.
func (c *statusChange) validateHistory() {
	s, old := &c.obj.Status, &c.old.Status
	for _, kind := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
		if c.was(kind) && !c.is(kind) {
			c.conditions(fmt.Sprintf("cannot disable the terminal %s=True condition", kind))
		}
	}
	if s.Failed < old.Failed {
		c.invalid("failed", s.Failed, "cannot decrease the failed counter")
	}
	// Indexes that a smaller job no longer has are not counted any more.
	elastic := indexed(&c.obj.Spec) && ptr.Equal(c.obj.Spec.Completions, c.obj.Spec.Parallelism)
	if s.Succeeded < old.Succeeded && !elastic {
		c.invalid("succeeded", s.Succeeded, "cannot decrease the succeeded counter")
	}
	if s.CompletionTime != nil && old.CompletionTime != nil && c.completionTimeChanged() {
		c.invalid("completionTime", s.CompletionTime, "field is immutable")
	}
	resuming := c.was(batchv1.JobSuspended) && conditionIs(c.obj, batchv1.JobSuspended, corev1.ConditionFalse)
	if old.StartTime != nil && c.startTimeChanged() && !ptr.Deref(c.obj.Spec.Suspend, false) && !resuming {
		c.invalid("startTime", s.StartTime, "field is immutable for unsuspended job once set")
	}
	met, wasMet := c.is(batchv1.JobSuccessCriteriaMet), c.was(batchv1.JobSuccessCriteriaMet)
	if wasMet && !met {
		c.conditions("cannot disable the SuccessCriteriaMet=True condition")
	}
	if c.was(batchv1.JobComplete) && !wasMet && met {
		c.conditions("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")
	}
}
