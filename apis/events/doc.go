// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package events is the group events.k8s.io. Its kind Event is another form of that
// of the core group: both have the hub core.Event, and what is written in one form
// is read in the other.
package events

import (
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/apis/core"
)

// GroupName is the name of the API group.
const GroupName = eventsv1.GroupName

// AddToScheme registers the hub of the core group as that of this one.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(schema.GroupVersion{Group: GroupName, Version: runtime.APIVersionInternal}, &core.Event{}, &core.EventList{})
	return nil
}
