// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoscaling

import (
	"maps"
)

// The annotations in which an autoscaler of version 1 has what that version has no
// fields for. They are of no other version.
const (
	MetricsAnnotation        = "autoscaling.alpha.kubernetes.io/metrics"
	CurrentMetricsAnnotation = "autoscaling.alpha.kubernetes.io/current-metrics"
	ConditionsAnnotation     = "autoscaling.alpha.kubernetes.io/conditions"
	BehaviorAnnotation       = "autoscaling.alpha.kubernetes.io/behavior"
	// A version that is not served any more had these.
	scaleUpToleranceAnnotation   = "autoscaling.alpha.kubernetes.io/scale-up-tolerance"
	scaleDownToleranceAnnotation = "autoscaling.alpha.kubernetes.io/scale-down-tolerance"
)

// DefaultCPUUtilization is the target of an autoscaler that names none, in percent.
const DefaultCPUUtilization int32 = 80

// WithoutConverted returns annotations without those above. It does not change in.
func WithoutConverted(in map[string]string) map[string]string {
	out := in
	for _, name := range []string{MetricsAnnotation, CurrentMetricsAnnotation, ConditionsAnnotation, BehaviorAnnotation,
		scaleUpToleranceAnnotation, scaleDownToleranceAnnotation} {
		if _, ok := out[name]; !ok {
			continue
		}
		if len(out) == len(in) {
			out = maps.Clone(in)
		}
		delete(out, name)
	}
	return out
}
