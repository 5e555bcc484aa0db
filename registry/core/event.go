// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"cmp"
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Events returns the kind Event. It is served by two groups, the core group and
// events.k8s.io, whose stores have the same keys and the same stored form.
func Events() kind.Kind {
	return kind.New(kind.Definition[core.Event]{
		Kind: "Event", Plural: "events", ShortNames: []string{"ev"},
		Expires:             true,
		CreateOnUpdate:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[core.Event]{
			// The core group takes any name.
			ValidateName: func(string, bool) []string { return nil },
			Validate: func(ctx context.Context, obj *core.Event) field.ErrorList {
				if isNewEvent(ctx) {
					return validation.ValidateNewEvent((*corev1.Event)(obj))
				}
				return validation.ValidateEvent((*corev1.Event)(obj))
			},
			ValidateUpdate: func(ctx context.Context, obj, old *core.Event) field.ErrorList {
				if isNewEvent(ctx) {
					return validation.ValidateNewEventUpdate((*corev1.Event)(obj), (*corev1.Event)(old))
				}
				return validation.ValidateEvent((*corev1.Event)(obj))
			},
		},
		Columns: eventColumns(),
		Fields:  eventFields(),
	})
}

// eventFields are called otherwise in events.k8s.io.
func eventFields() []kind.Field[core.Event] {
	var out []kind.Field[core.Event]
	add := func(path, inNew string, value func(*core.Event) string) {
		out = append(out, kind.Field[core.Event]{Path: path, Names: map[string]string{eventsv1.SchemeGroupVersion.String(): inNew}, Value: value})
	}
	object := func(name string, value func(*corev1.ObjectReference) string) {
		add("involvedObject."+name, "regarding."+name, func(e *core.Event) string { return value(&e.InvolvedObject) })
	}
	object("kind", func(o *corev1.ObjectReference) string { return o.Kind })
	object("namespace", func(o *corev1.ObjectReference) string { return o.Namespace })
	object("name", func(o *corev1.ObjectReference) string { return o.Name })
	object("uid", func(o *corev1.ObjectReference) string { return string(o.UID) })
	object("apiVersion", func(o *corev1.ObjectReference) string { return o.APIVersion })
	object("resourceVersion", func(o *corev1.ObjectReference) string { return o.ResourceVersion })
	object("fieldPath", func(o *corev1.ObjectReference) string { return o.FieldPath })
	add("reason", "reason", func(e *core.Event) string { return e.Reason })
	add("reportingComponent", "reportingController", func(e *core.Event) string { return e.ReportingController })
	add("source", "-", func(e *core.Event) string { return cmp.Or(e.Source.Component, e.ReportingController) })
	add("type", "type", func(e *core.Event) string { return e.Type })
	return out
}

// isNewEvent says whether a request is for events.k8s.io, which is stricter.
func isNewEvent(ctx context.Context) bool {
	info, ok := genericapirequest.RequestInfoFrom(ctx)
	return ok && info.APIGroup == eventsv1.GroupName
}

func eventColumns() []kind.Column[core.Event] {
	doc := corev1.Event{}.SwaggerDoc()
	return []kind.Column[core.Event]{
		{Name: "Last Seen", Description: doc["lastTimestamp"], Value: func(e *core.Event) any { _, last := eventTimes(e); return kind.HumanAge(last) }},
		{Name: "Type", Description: doc["type"], Value: func(e *core.Event) any { return e.Type }},
		{Name: "Reason", Description: doc["reason"], Value: func(e *core.Event) any { return e.Reason }},
		{Name: "Object", Description: doc["involvedObject"], Value: func(e *core.Event) any {
			object := strings.ToLower(e.InvolvedObject.Kind)
			if name := e.InvolvedObject.Name; name != "" {
				object += "/" + name
			}
			return object
		}},
		{Name: "Subobject", Wide: true, Description: corev1.ObjectReference{}.SwaggerDoc()["fieldPath"], Value: func(e *core.Event) any { return e.InvolvedObject.FieldPath }},
		{Name: "Source", Wide: true, Description: doc["source"], Value: func(e *core.Event) any { return eventSource(e) }},
		{Name: "Message", Description: doc["message"], Value: func(e *core.Event) any { return strings.TrimSpace(e.Message) }},
		{Name: "First Seen", Wide: true, Description: doc["firstTimestamp"], Value: func(e *core.Event) any { first, _ := eventTimes(e); return kind.HumanAge(first) }},
		{Name: "Count", Wide: true, Description: doc["count"], Value: func(e *core.Event) any {
			if e.Series != nil {
				return e.Series.Count
			}
			return max(e.Count, 1) // new events have no count until they are repeated
		}},
		wideName(),
	}
}

func wideName() kind.Column[core.Event] {
	name := kind.Name[core.Event]()
	name.Wide = true
	return name
}

// eventTimes are when an event was first and last seen, in any of its forms.
func eventTimes(e *core.Event) (first, last metav1.Time) {
	first, last = e.FirstTimestamp, e.LastTimestamp
	if first.IsZero() {
		first = metav1.Time{Time: e.EventTime.Time}
	}
	if last.IsZero() {
		last = first
	}
	if e.Series != nil {
		last = metav1.Time{Time: e.Series.LastObservedTime.Time}
	}
	return first, last
}

func eventSource(e *core.Event) string {
	component, host := e.Source.Component, e.Source.Host
	if component == "" {
		component, host = e.ReportingController, e.ReportingInstance
	}
	if host == "" {
		return component
	}
	return component + ", " + host
}
