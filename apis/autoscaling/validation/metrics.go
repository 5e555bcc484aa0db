// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

func validateMetrics(spec, old *autoscalingv2.HorizontalPodAutoscalerSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	outside := false
	for i := range spec.Metrics {
		metric := &spec.Metrics[i]
		errs = append(errs, validateMetric(metric, referenceRules{coreGroup: true, anyVersion: describes(old, metric)}, path.Index(i))...)
		outside = outside || metric.Type == autoscalingv2.ObjectMetricSourceType || metric.Type == autoscalingv2.ExternalMetricSourceType
	}
	// Without a pod there is nothing that the other metrics could be measured at.
	if spec.MinReplicas != nil && *spec.MinReplicas == 0 && !outside {
		errs = append(errs, field.Forbidden(path, "must specify at least one Object or External metric to support scaling to zero replicas"))
	}
	return errs
}

// describes says whether the old spec had a metric of an object of the same kind
// and version, which may then be one that is refused by now.
func describes(old *autoscalingv2.HorizontalPodAutoscalerSpec, metric *autoscalingv2.MetricSpec) bool {
	if old == nil || metric.Object == nil {
		return false
	}
	return slices.ContainsFunc(old.Metrics, func(m autoscalingv2.MetricSpec) bool {
		return m.Object != nil && m.Object.DescribedObject.Kind == metric.Object.DescribedObject.Kind &&
			m.Object.DescribedObject.APIVersion == metric.Object.DescribedObject.APIVersion
	})
}

func validateMetric(metric *autoscalingv2.MetricSpec, rules referenceRules, path *field.Path) field.ErrorList {
	sources := []struct {
		kind     autoscalingv2.MetricSourceType
		name     string
		set      bool
		validate func(*field.Path) field.ErrorList
	}{
		{autoscalingv2.ObjectMetricSourceType, "object", metric.Object != nil, func(p *field.Path) field.ErrorList { return validateObjectMetric(metric.Object, rules, p) }},
		{autoscalingv2.ExternalMetricSourceType, "external", metric.External != nil, func(p *field.Path) field.ErrorList { return validateExternalMetric(metric.External, p) }},
		{autoscalingv2.PodsMetricSourceType, "pods", metric.Pods != nil, func(p *field.Path) field.ErrorList { return validatePodsMetric(metric.Pods, p) }},
		{autoscalingv2.ResourceMetricSourceType, "resource", metric.Resource != nil, func(p *field.Path) field.ErrorList { return validateResourceMetric(metric.Resource, p) }},
		{autoscalingv2.ContainerResourceMetricSourceType, "containerResource", metric.ContainerResource != nil, func(p *field.Path) field.ErrorList { return validateContainerMetric(metric.ContainerResource, p) }},
	}
	var known []autoscalingv2.MetricSourceType
	for _, source := range sources {
		known = append(known, source.kind)
	}
	slices.Sort(known)
	var errs field.ErrorList
	if metric.Type == "" {
		errs = append(errs, field.Required(path.Child("type"), "must specify a metric source type"))
	}
	unknown := field.NotSupported(path.Child("type"), metric.Type, known)
	if !slices.Contains(known, metric.Type) {
		errs = append(errs, unknown)
	}
	set := 0
	for _, source := range sources {
		if source.set {
			if set++; set == 1 {
				errs = append(errs, source.validate(path.Child(source.name))...)
			}
		}
	}
	for _, source := range sources {
		switch {
		case source.kind == metric.Type && !source.set:
			errs = append(errs, field.Required(path.Child(source.name), "must populate information for the given metric source"))
		case source.kind != metric.Type && source.set && set > 1:
			errs = append(errs, field.Forbidden(path.Child(source.name), "must populate the given metric source only"))
		}
	}
	if !slices.Contains(known, metric.Type) {
		errs = append(errs, unknown) // Kubernetes says it twice.
	}
	return errs
}

func validateObjectMetric(m *autoscalingv2.ObjectMetricSource, rules referenceRules, path *field.Path) field.ErrorList {
	errs := validateReference(m.DescribedObject, rules, path.Child("describedObject"))
	errs = append(errs, validateIdentifier(m.Metric, path.Child("metric"))...)
	errs = append(errs, validateTarget(m.Target, path.Child("target"))...)
	if m.Target.Value == nil && m.Target.AverageValue == nil {
		errs = append(errs, field.Required(path.Child("target", "averageValue"), "must set either a target value or averageValue"))
	}
	return errs
}

func validateExternalMetric(m *autoscalingv2.ExternalMetricSource, path *field.Path) field.ErrorList {
	errs := validateIdentifier(m.Metric, path.Child("metric"))
	errs = append(errs, validateTarget(m.Target, path.Child("target"))...)
	switch {
	case m.Target.Value == nil && m.Target.AverageValue == nil:
		errs = append(errs, field.Required(path.Child("target", "averageValue"), "must set either a target value for metric or a per-pod target"))
	case m.Target.Value != nil && m.Target.AverageValue != nil:
		errs = append(errs, field.Forbidden(path.Child("target", "value"), "may not set both a target value for metric and a per-pod target"))
	}
	return errs
}

func validatePodsMetric(m *autoscalingv2.PodsMetricSource, path *field.Path) field.ErrorList {
	errs := validateIdentifier(m.Metric, path.Child("metric"))
	errs = append(errs, validateTarget(m.Target, path.Child("target"))...)
	if m.Target.AverageValue == nil {
		errs = append(errs, field.Required(path.Child("target", "averageValue"), "must specify a positive target averageValue"))
	}
	return errs
}

func validateResourceMetric(m *autoscalingv2.ResourceMetricSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), "must specify a resource name"))
	}
	return append(errs, validateResourceTarget(m.Target, path.Child("target"))...)
}

func validateContainerMetric(m *autoscalingv2.ContainerResourceMetricSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), "must specify a resource name"))
	} else {
		errs = append(errs, corevalidation.ValidateContainerResourceName(m.Name, path.Child("name"))...)
	}
	if m.Container == "" {
		errs = append(errs, field.Required(path.Child("container"), "must specify a container"))
	} else {
		errs = append(errs, fielderrors.Each(path.Child("container"), m.Container, apivalidation.NameIsDNSLabel(m.Container, false))...)
	}
	return append(errs, validateResourceTarget(m.Target, path.Child("target"))...)
}

func validateResourceTarget(target autoscalingv2.MetricTarget, path *field.Path) field.ErrorList {
	errs := validateTarget(target, path)
	switch {
	case target.AverageUtilization == nil && target.AverageValue == nil:
		errs = append(errs, field.Required(path.Child("averageUtilization"), "must set either a target raw value or a target utilization"))
	case target.AverageUtilization != nil && target.AverageValue != nil:
		errs = append(errs, field.Forbidden(path.Child("averageValue"), "may not set both a target raw value and a target utilization"))
	}
	return errs
}

func validateTarget(target autoscalingv2.MetricTarget, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if target.Type == "" {
		errs = append(errs, field.Required(path.Child("type"), "must specify a metric target type"))
	}
	if target.Type != autoscalingv2.UtilizationMetricType && target.Type != autoscalingv2.ValueMetricType && target.Type != autoscalingv2.AverageValueMetricType {
		errs = append(errs, field.Invalid(path.Child("type"), target.Type, "must be either Utilization, Value, or AverageValue"))
	}
	if target.Value != nil && target.Value.Sign() != 1 {
		errs = append(errs, field.Invalid(path.Child("value"), target.Value, "must be positive"))
	}
	if target.AverageValue != nil && target.AverageValue.Sign() != 1 {
		errs = append(errs, field.Invalid(path.Child("averageValue"), target.AverageValue, "must be positive"))
	}
	if target.AverageUtilization != nil && *target.AverageUtilization < 1 {
		errs = append(errs, field.Invalid(path.Child("averageUtilization"), target.AverageUtilization, "must be greater than 0"))
	}
	return errs
}

func validateIdentifier(id autoscalingv2.MetricIdentifier, path *field.Path) field.ErrorList {
	return validateSegment(id.Name, "must specify a metric name", path.Child("name"))
}
