// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/events"
)

// SchemeGroupVersion is the version that this package serves.
var SchemeGroupVersion = eventsv1.SchemeGroupVersion

// AddToScheme registers types and conversions, and the hub under the name of the group.
func AddToScheme(scheme *runtime.Scheme) error {
	builder := runtime.NewSchemeBuilder(eventsv1.AddToScheme, events.AddToScheme, addConversions)
	return builder.AddToScheme(scheme)
}

func addConversions(scheme *runtime.Scheme) error {
	for _, err := range []error{
		scheme.AddConversionFunc((*eventsv1.Event)(nil), (*core.Event)(nil), func(in, out any, _ conversion.Scope) error {
			*out.(*core.Event) = toHub(in.(*eventsv1.Event))
			return nil
		}),
		scheme.AddConversionFunc((*core.Event)(nil), (*eventsv1.Event)(nil), func(in, out any, _ conversion.Scope) error {
			*out.(*eventsv1.Event) = fromHub(in.(*core.Event))
			return nil
		}),
		scheme.AddConversionFunc((*eventsv1.EventList)(nil), (*core.EventList)(nil), func(in, out any, _ conversion.Scope) error {
			from, to := in.(*eventsv1.EventList), out.(*core.EventList)
			*to = core.EventList{ListMeta: from.ListMeta, Items: each(from.Items, toHub)}
			return nil
		}),
		scheme.AddConversionFunc((*core.EventList)(nil), (*eventsv1.EventList)(nil), func(in, out any, _ conversion.Scope) error {
			from, to := in.(*core.EventList), out.(*eventsv1.EventList)
			*to = eventsv1.EventList{ListMeta: from.ListMeta, Items: each(from.Items, fromHub)}
			return nil
		}),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func each[From, To any](in []From, convert func(*From) To) []To {
	if in == nil {
		return nil
	}
	out := make([]To, len(in))
	for i := range in {
		out[i] = convert(&in[i])
	}
	return out
}
