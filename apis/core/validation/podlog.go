// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodLogRules say what depends on feature gates.
type PodLogRules struct {
	// Stream allows to choose one of the streams of a container.
	Stream bool
}

// ValidatePodLogOptions checks the parameters of pods/log.
func ValidatePodLogOptions(o *corev1.PodLogOptions, rules PodLogRules) field.ErrorList {
	var errs field.ErrorList
	if o.TailLines != nil && *o.TailLines < 0 {
		errs = append(errs, field.Invalid(field.NewPath("tailLines"), *o.TailLines, "must be greater than or equal to 0"))
	}
	if o.LimitBytes != nil && *o.LimitBytes < 1 {
		errs = append(errs, field.Invalid(field.NewPath("limitBytes"), *o.LimitBytes, "must be greater than 0"))
	}
	switch {
	case o.SinceSeconds != nil && o.SinceTime != nil:
		errs = append(errs, field.Forbidden(field.NewPath(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
	case o.SinceSeconds != nil && *o.SinceSeconds < 1:
		errs = append(errs, field.Invalid(field.NewPath("sinceSeconds"), *o.SinceSeconds, "must be greater than 0"))
	}
	return append(errs, validateLogStream(o, rules)...)
}

func validateLogStream(o *corev1.PodLogOptions, rules PodLogRules) field.ErrorList {
	path := field.NewPath("stream")
	switch {
	case !rules.Stream && o.Stream != nil:
		return field.ErrorList{field.Forbidden(path, "may not be specified")}
	case !rules.Stream:
		return nil
	case o.Stream == nil:
		return field.ErrorList{field.Required(path, "must be specified")}
	}
	var errs field.ErrorList
	switch *o.Stream {
	case corev1.LogStreamAll:
		return nil
	case corev1.LogStreamStdout, corev1.LogStreamStderr:
	default:
		errs = append(errs, field.NotSupported(path, *o.Stream, []string{corev1.LogStreamAll, corev1.LogStreamStderr, corev1.LogStreamStdout}))
	}
	if o.TailLines != nil {
		errs = append(errs, field.Forbidden(field.NewPath(""), "`tailLines` and specific `stream` are mutually exclusive for now"))
	}
	return errs
}
