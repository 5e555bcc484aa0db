// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateEvent judges an event written through the core group, new or changed.
// Paths are those of that group, whichever the event comes through.
func ValidateEvent(event *corev1.Event) field.ErrorList {
	errs := validateInvolvedNamespace(event)
	if !event.EventTime.IsZero() {
		errs = append(errs, validateReporting(event)...)
	}
	return append(errs, fielderrors.Each(field.NewPath("namespace"), event.Namespace, utilvalidation.IsDNS1123Subdomain(event.Namespace))...)
}

// validateInvolvedNamespace demands that an event is in the namespace of what it
// is about. Events about what has none are in default or, with an event time, in
// kube-system; old clients say nothing there.
func validateInvolvedNamespace(event *corev1.Event) field.ErrorList {
	about, in := event.InvolvedObject.Namespace, event.Namespace
	var fine bool
	switch {
	case event.EventTime.IsZero() && about != "":
		fine = in == about
	case event.EventTime.IsZero():
		fine = in == metav1.NamespaceNone || in == metav1.NamespaceDefault
	default:
		fine = about != "" || in == metav1.NamespaceDefault || in == metav1.NamespaceSystem
	}
	if fine {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("involvedObject", "namespace"), about, "does not match event.namespace")}
}

// validateReporting judges what events with an event time must say.
func validateReporting(event *corev1.Event) field.ErrorList {
	var errs field.ErrorList
	controller := field.NewPath("reportingController")
	if event.ReportingController == "" {
		errs = append(errs, field.Required(controller, ""))
	}
	errs = append(errs, fielderrors.Each(controller, event.ReportingController, utilvalidation.IsQualifiedName(event.ReportingController))...)
	for _, f := range []struct {
		name, value string
		most        int
		optional    bool
	}{
		{"reportingInstance", event.ReportingInstance, 128, false},
		{"action", event.Action, 128, false},
		{"reason", event.Reason, 128, false},
		{"message", event.Message, 1024, true},
	} {
		switch {
		case f.value == "" && !f.optional:
			errs = append(errs, field.Required(field.NewPath(f.name), ""))
		case len(f.value) > f.most:
			errs = append(errs, field.Invalid(field.NewPath(f.name), "", fmt.Sprintf("can have at most %d characters", f.most)))
		}
	}
	return errs
}

// ValidateNewEvent judges a new event written through events.k8s.io, which keeps
// what older clients wrote out of new events.
func ValidateNewEvent(event *corev1.Event) field.ErrorList {
	errs := ValidateEvent(event)
	errs = append(errs, apivalidation.ValidateObjectMeta(&event.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))...)
	errs = append(errs, validateEventSeries(event.Series)...)
	if event.EventTime.IsZero() {
		errs = append(errs, field.Required(field.NewPath("eventTime"), ""))
	}
	if event.Type != corev1.EventTypeNormal && event.Type != corev1.EventTypeWarning {
		errs = append(errs, field.Invalid(field.NewPath("type"), "", "has invalid value: "+event.Type))
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"firstTimestamp", !event.FirstTimestamp.IsZero()},
		{"lastTimestamp", !event.LastTimestamp.IsZero()},
		{"count", event.Count != 0},
		{"source", event.Source != corev1.EventSource{}},
	} {
		if f.set {
			errs = append(errs, field.Invalid(field.NewPath(f.name), "", "needs to be unset"))
		}
	}
	return errs
}

// ValidateNewEventUpdate judges an event changed through events.k8s.io, of which
// only the series may change.
func ValidateNewEventUpdate(event, old *corev1.Event) field.ErrorList {
	errs := ValidateEvent(event)
	errs = append(errs, apivalidation.ValidateObjectMetaUpdate(&event.ObjectMeta, &old.ObjectMeta, field.NewPath("metadata"))...)
	if !reflect.DeepEqual(event.Series, old.Series) {
		errs = append(errs, validateEventSeries(event.Series)...)
	}
	for _, f := range []struct {
		name     string
		now, was any
	}{
		{"involvedObject", event.InvolvedObject, old.InvolvedObject},
		{"reason", event.Reason, old.Reason},
		{"message", event.Message, old.Message},
		{"source", event.Source, old.Source},
		{"firstTimestamp", event.FirstTimestamp, old.FirstTimestamp},
		{"lastTimestamp", event.LastTimestamp, old.LastTimestamp},
		{"count", event.Count, old.Count},
		{"type", event.Type, old.Type},
		{"eventTime", event.EventTime, old.EventTime},
		{"action", event.Action, old.Action},
		{"related", event.Related, old.Related},
		{"reportingController", event.ReportingController, old.ReportingController},
		{"reportingInstance", event.ReportingInstance, old.ReportingInstance},
	} {
		errs = append(errs, apivalidation.ValidateImmutableField(f.now, f.was, field.NewPath(f.name))...)
	}
	return errs
}

func validateEventSeries(series *corev1.EventSeries) field.ErrorList {
	if series == nil {
		return nil
	}
	var errs field.ErrorList
	if series.Count < 2 {
		errs = append(errs, field.Invalid(field.NewPath("series.count"), "", "should be at least 2"))
	}
	if series.LastObservedTime.IsZero() {
		errs = append(errs, field.Required(field.NewPath("series.lastObservedTime"), ""))
	}
	return errs
}
