// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/features"
)

// The labels that jobs without a prefix had, and still have beside the new ones.
const (
	LegacyJobNameLabel       = "job-name"
	LegacyControllerUIDLabel = "controller-uid"
)

// ValidateJob judges a new job.
func ValidateJob(obj *batchv1.Job) field.ErrorList {
	errs := validateGeneratedSelector(obj)
	errs = append(errs, validateSelectedSpec(&obj.Spec, corevalidation.PodTemplateOptions(&obj.Spec.Template, nil), metav1validation.LabelSelectorValidationOptions{})...)
	if completions := ptr.Deref(obj.Spec.Completions, 0); indexed(&obj.Spec) && completions > 0 {
		// The last pod has the longest host name.
		if name := fmt.Sprintf("%s-%d", obj.Name, completions-1); len(validation.IsDNS1123Label(name)) > 0 {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), obj.Name, "will not able to create pod with invalid DNS label: "+name))
		}
	}
	return errs
}

func validateSelectedSpec(spec *batchv1.JobSpec, opts corevalidation.PodOptions, selectorOpts metav1validation.LabelSelectorValidationOptions) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateJobSpec(spec, path, opts)
	if spec.Selector == nil {
		errs = append(errs, field.Required(path.Child("selector"), ""))
	} else {
		errs = append(errs, metav1validation.ValidateLabelSelector(spec.Selector, selectorOpts, path.Child("selector"))...)
	}
	if selector, err := metav1.LabelSelectorAsSelector(spec.Selector); err == nil && !selector.Matches(labels.Set(spec.Template.Labels)) {
		errs = append(errs, field.Invalid(path.Child("template", "metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`"))
	}
	return errs
}

// validateGeneratedSelector judges what the server adds when the user does not
// choose the selector: the user may have written something else there before.
func validateGeneratedSelector(obj *batchv1.Job) field.ErrorList {
	if ptr.Deref(obj.Spec.ManualSelector, false) || obj.Spec.Selector == nil {
		return nil
	}
	var errs field.ErrorList
	if obj.UID == "" {
		errs = append(errs, field.Required(field.NewPath("metadata", "uid"), ""))
	}
	expected := [][2]string{
		{LegacyControllerUIDLabel, string(obj.UID)}, {LegacyJobNameLabel, obj.Name},
		{batchv1.ControllerUidLabel, string(obj.UID)}, {batchv1.JobNameLabel, obj.Name},
	}
	set := labels.Set{}
	path := field.NewPath("spec", "template", "metadata", "labels")
	for _, label := range expected {
		set[label[0]] = label[1]
		must := fmt.Sprintf("must be '%s'", label[1])
		if actual, ok := obj.Spec.Template.Labels[label[0]]; !ok {
			errs = append(errs, field.Required(path.Key(label[0]), must))
		} else if actual != label[1] {
			errs = append(errs, field.Invalid(path.Key(label[0]), obj.Spec.Template.Labels, must))
		}
	}
	if selector, err := metav1.LabelSelectorAsSelector(obj.Spec.Selector); err == nil && !selector.Matches(set) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "selector"), obj.Spec.Selector, "`selector` not auto-generated"))
	}
	return errs
}

func indexed(spec *batchv1.JobSpec) bool {
	return ptr.Deref(spec.CompletionMode, batchv1.NonIndexedCompletion) == batchv1.IndexedCompletion
}

// validateJobSpec judges what jobs and the templates of cron jobs have in common.
func validateJobSpec(spec *batchv1.JobSpec, path *field.Path, opts corevalidation.PodOptions) field.ErrorList {
	errs := validateCounts(path,
		count{"parallelism", widen(spec.Parallelism)}, count{"completions", widen(spec.Completions)},
		count{"activeDeadlineSeconds", spec.ActiveDeadlineSeconds}, count{"backoffLimit", widen(spec.BackoffLimit)},
		count{"ttlSecondsAfterFinished", widen(spec.TTLSecondsAfterFinished)},
		count{"backoffLimitPerIndex", widen(spec.BackoffLimitPerIndex)},
		count{"maxFailedIndexes", widen(spec.MaxFailedIndexes)})
	if spec.MaxFailedIndexes != nil && spec.BackoffLimitPerIndex == nil {
		errs = append(errs, field.Required(path.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
	}
	if spec.ManagedBy != nil {
		errs = append(errs, validation.IsDomainPrefixedPath(path.Child("managedBy"), *spec.ManagedBy)...)
		if len(*spec.ManagedBy) > 63 {
			errs = append(errs, field.TooLong(path.Child("managedBy"), "" /* not printed */, 63))
		}
	}
	errs = append(errs, validateCompletionMode(spec, path)...)
	if spec.PodFailurePolicy != nil {
		errs = append(errs, validatePodFailurePolicy(spec, path.Child("podFailurePolicy"))...)
	}
	if spec.SuccessPolicy != nil {
		errs = append(errs, validateSuccessPolicy(spec, path.Child("successPolicy"))...)
	}
	errs = append(errs, validatePodReplacement(spec, path.Child("podReplacementPolicy"))...)
	errs = append(errs, corevalidation.ValidatePodTemplateSpec(&spec.Template, path.Child("template"), opts)...)
	return append(errs, validateRestartPolicy(spec, path.Child("template", "spec", "restartPolicy"))...)
}

func validateRestartPolicy(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	switch policy := spec.Template.Spec.RestartPolicy; policy {
	case "", corev1.RestartPolicyAlways: // the default of pods, which jobs cannot have
		return field.ErrorList{field.Required(path, `valid values: "OnFailure", "Never"`)}
	case corev1.RestartPolicyNever:
		return nil
	case corev1.RestartPolicyOnFailure:
		if spec.PodFailurePolicy != nil {
			return field.ErrorList{field.Invalid(path, policy, `only "Never" is supported when podFailurePolicy is specified`)}
		}
		return nil
	default:
		return field.ErrorList{field.NotSupported(path, policy, []corev1.RestartPolicy{corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever})}
	}
}

// The limits keep the lists of indexes in status within the size of an object.
const (
	maxIndexes           = 100_000
	maxIndexesOfHugeJobs = 10_000
)

func validateCompletionMode(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	invalid := func(name string, value int32, format string, args ...any) {
		errs = append(errs, field.Invalid(path.Child(name), value, fmt.Sprintf(format, args...)))
	}
	if mode := spec.CompletionMode; mode != nil && *mode != batchv1.NonIndexedCompletion && *mode != batchv1.IndexedCompletion {
		errs = append(errs, field.NotSupported(path.Child("completionMode"), mode, []batchv1.CompletionMode{batchv1.NonIndexedCompletion, batchv1.IndexedCompletion}))
		return errs
	}
	failed := spec.MaxFailedIndexes
	if !indexed(spec) {
		if spec.BackoffLimitPerIndex != nil {
			invalid("backoffLimitPerIndex", *spec.BackoffLimitPerIndex, "requires indexed completion mode")
		}
		if failed != nil {
			invalid("maxFailedIndexes", *failed, "requires indexed completion mode")
		}
		return errs
	}
	parallelism := ptr.Deref(spec.Parallelism, 0)
	if spec.Completions == nil {
		errs = append(errs, field.Required(path.Child("completions"), "when completion mode is Indexed"))
	}
	if parallelism > maxIndexes {
		invalid("parallelism", parallelism, "must be less than or equal to %d when completion mode is Indexed", maxIndexes)
	}
	if spec.Completions != nil && failed != nil && *failed > *spec.Completions {
		invalid("maxFailedIndexes", *failed, "must be less than or equal to completions")
	}
	if failed != nil && *failed > maxIndexes {
		invalid("maxFailedIndexes", *failed, "must be less than or equal to %d", maxIndexes)
	}
	if ptr.Deref(spec.Completions, 0) <= maxIndexes || spec.BackoffLimitPerIndex == nil {
		return errs
	}
	const huge = "must be less than or equal to %d when completions are above %d and used with backoff limit per index"
	if failed == nil {
		errs = append(errs, field.Required(path.Child("maxFailedIndexes"), fmt.Sprintf("must be specified when completions is above %d", maxIndexes)))
	}
	if parallelism > maxIndexesOfHugeJobs {
		invalid("parallelism", parallelism, huge, maxIndexesOfHugeJobs, maxIndexes)
	}
	if failed != nil && *failed > maxIndexesOfHugeJobs {
		invalid("maxFailedIndexes", *failed, huge, maxIndexesOfHugeJobs, maxIndexes)
	}
	return errs
}

func validatePodReplacement(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	if spec.PodReplacementPolicy == nil {
		return nil
	}
	allowed := []batchv1.PodReplacementPolicy{batchv1.Failed, batchv1.TerminatingOrFailed}
	if spec.PodFailurePolicy != nil {
		allowed = allowed[:1] // how a pod failed is known only when it has
	}
	return fielderrors.OneOf(path, *spec.PodReplacementPolicy, allowed...)
}

// ValidateJobUpdate judges a changed job.
func ValidateJobUpdate(obj, old *batchv1.Job) field.ErrorList {
	path := field.NewPath("spec")
	errs := validateSelectedSpec(&obj.Spec, corevalidation.PodTemplateOptions(&obj.Spec.Template, &old.Spec.Template), metav1validation.LabelSelectorValidationOptions{
		AllowInvalidLabelValueInSelector: metav1validation.LabelSelectorHasInvalidLabelValue(old.Spec.Selector),
	})
	errs = append(errs, validateCompletionsUpdate(&obj.Spec, &old.Spec, path.Child("completions"))...)
	immutable := func(value, old any, name string) {
		errs = append(errs, apivalidation.ValidateImmutableField(value, old, path.Child(name))...)
	}
	immutable(obj.Spec.Selector, old.Spec.Selector, "selector")
	errs = append(errs, validateTemplateUpdate(obj, old, path.Child("template"))...)
	immutable(obj.Spec.CompletionMode, old.Spec.CompletionMode, "completionMode")
	immutable(obj.Spec.PodFailurePolicy, old.Spec.PodFailurePolicy, "podFailurePolicy")
	immutable(obj.Spec.BackoffLimitPerIndex, old.Spec.BackoffLimitPerIndex, "backoffLimitPerIndex")
	immutable(obj.Spec.ManagedBy, old.Spec.ManagedBy, "managedBy")
	immutable(obj.Spec.SuccessPolicy, old.Spec.SuccessPolicy, "successPolicy")
	return errs
}

// validateCompletionsUpdate lets indexed jobs alone grow and shrink.
func validateCompletionsUpdate(spec, old *batchv1.JobSpec, path *field.Path) field.ErrorList {
	if !indexed(spec) {
		return apivalidation.ValidateImmutableField(spec.Completions, old.Completions, path)
	}
	if spec.Completions == nil || ptr.Equal(spec.Completions, old.Completions) || *spec.Completions == ptr.Deref(spec.Parallelism, 0) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, spec.Completions, "can only be modified in tandem with spec.parallelism")}
}

// validateTemplateUpdate lets the template change only while no pod was made from
// it, and then only in where pods are placed and in what they need.
func validateTemplateUpdate(obj, old *batchv1.Job, path *field.Path) field.ErrorList {
	template, before := &obj.Spec.Template, old.Spec.Template.DeepCopy()
	suspended := ptr.Deref(old.Spec.Suspend, false)
	idle := old.Status.Active == 0 && (old.Status.StartTime == nil || conditionIs(old, batchv1.JobSuspended, corev1.ConditionTrue))
	placement := idle
	if !features.Enabled(features.MutableSchedulingDirectivesForSuspendedJobs) {
		placement = old.Status.StartTime == nil
	}
	if suspended && placement {
		takeNodeAffinity(&before.Spec, &template.Spec)
		before.Spec.NodeSelector = template.Spec.NodeSelector
		before.Spec.Tolerations = template.Spec.Tolerations
		before.Spec.SchedulingGates = template.Spec.SchedulingGates
		before.Labels, before.Annotations = template.Labels, template.Annotations
	}
	if !suspended || !idle || !features.Enabled(features.MutablePodResourcesForSuspendedJobs) {
		return apivalidation.ValidateImmutableField(template, before, path)
	}
	takeResources(before.Spec.Containers, template.Spec.Containers)
	takeResources(before.Spec.InitContainers, template.Spec.InitContainers)
	return apivalidation.ValidateImmutableField(template.Spec, before.Spec, path.Child("spec"))
}

// takeNodeAffinity gives a spec the node affinity of another and keeps the
// affinities to pods.
func takeNodeAffinity(to, from *corev1.PodSpec) {
	affinity := ptr.Deref(to.Affinity, corev1.Affinity{})
	affinity.NodeAffinity = ptr.Deref(from.Affinity, corev1.Affinity{}).NodeAffinity
	to.Affinity = &affinity
	if from.Affinity == nil && apiequality.Semantic.DeepEqual(affinity, corev1.Affinity{}) {
		to.Affinity = nil
	}
}

func takeResources(to, from []corev1.Container) {
	if len(to) != len(from) {
		return
	}
	for i := range to {
		if to[i].Name == from[i].Name {
			to[i].Resources = from[i].Resources
		}
	}
}

// count is a number that may not be negative if it is set.
type count struct {
	name  string
	value *int64
}

func widen(n *int32) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}

func validateCounts(path *field.Path, counts ...count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		errs = append(errs, apivalidation.ValidateNonnegativeField(ptr.Deref(c.value, 0), path.Child(c.name))...)
	}
	return errs
}
