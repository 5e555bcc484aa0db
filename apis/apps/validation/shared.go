// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// count is a number that may not be negative.
type count struct {
	name  string
	value int64
}

func validateCounts(path *field.Path, counts ...count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		errs = append(errs, apivalidation.ValidateNonnegativeField(c.value, path.Child(c.name))...)
	}
	return errs
}

// atMost refuses counts that are greater than limit, which the message names.
func atMost(path *field.Path, limit int32, name string, counts ...count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		if c.value > int64(limit) {
			errs = append(errs, field.Invalid(path.Child(c.name), c.value, "cannot be greater than "+name))
		}
	}
	return errs
}

func optionalCount[N int32 | int64](name string, value *N) count {
	return count{name, int64(ptr.Deref(value, 0))}
}

// validateCollisions refuses to count hash collisions down, because controllers
// would then repeat a name.
func validateCollisions(path *field.Path, value, old *int32) field.ErrorList {
	if old == nil || ptr.Deref(value, 0) >= *old && value != nil {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("collisionCount"), ptr.Deref(value, 0), "cannot be decremented")}
}

// validateSelector demands a selector that selects something. kind is what the
// message calls the object.
func validateSelector(selector *metav1.LabelSelector, kind string, path *field.Path) field.ErrorList {
	if selector == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	errs := metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, path)
	if len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(path, selector, "empty selector is invalid for "+kind))
	}
	return errs
}

func validateSelected(selector labels.Selector, template *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	if selector.Matches(labels.Set(template.Labels)) {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("metadata", "labels"), template.Labels, "`selector` does not match template `labels`")}
}

// validateEndless demands that the pods of a template run for ever, which is what
// all kinds of this group are for.
func validateEndless(spec *corev1.PodSpec, kind string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if spec.RestartPolicy != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(path.Child("restartPolicy"), spec.RestartPolicy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(path.Child("activeDeadlineSeconds"), fmt.Sprintf("activeDeadlineSeconds in %s is not Supported", kind)))
	}
	return errs
}

// validateReplicaTemplate judges selector and template of a deployment or replica set.
func validateReplicaTemplate(selector *metav1.LabelSelector, template *corev1.PodTemplateSpec, path *field.Path, opts corevalidation.PodOptions) field.ErrorList {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return field.ErrorList{field.Invalid(path.Child("selector"), selector, "invalid label selector")}
	}
	path = path.Child("template")
	var errs field.ErrorList
	if !parsed.Empty() {
		errs = validateSelected(parsed, template, path)
	}
	errs = append(errs, corevalidation.ValidatePodTemplateSpec(template, path, opts)...)
	return append(errs, validateEndless(&template.Spec, "ReplicaSet", path.Child("spec"))...)
}

func validateImmutableSelector(selector, old *metav1.LabelSelector) field.ErrorList {
	return apivalidation.ValidateImmutableField(selector, old, field.NewPath("spec", "selector"))
}

// percentage is a number of pods or a share of them. An unset one is 0, as it is
// where kube-apiserver judges it.
type percentage struct{ *intstr.IntOrString }

func (p percentage) value() intstr.IntOrString { return ptr.Deref(p.IntOrString, intstr.IntOrString{}) }

// percent returns the number before the sign, if it is a share.
func (p percentage) percent() (int, bool) {
	v := p.value()
	if v.Type != intstr.String || len(validation.IsValidPercent(v.StrVal)) > 0 {
		return 0, false
	}
	n, _ := strconv.Atoi(v.StrVal[:len(v.StrVal)-1])
	return n, true
}

func (p percentage) zero() bool {
	if n, ok := p.percent(); ok {
		return n == 0
	}
	v := p.value()
	return v.IntValue() == 0
}

func (p percentage) validate(path *field.Path) field.ErrorList {
	v := p.value()
	if v.Type == intstr.Int {
		return apivalidation.ValidateNonnegativeField(int64(v.IntValue()), path)
	}
	return fielderrors.Each(path, v, validation.IsValidPercent(v.StrVal))
}

func (p percentage) validateNotMoreThanAll(path *field.Path) field.ErrorList {
	if n, ok := p.percent(); ok && n > 100 {
		return field.ErrorList{field.Invalid(path, p.value(), "must not be greater than 100%")}
	}
	return nil
}
