// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package events_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/events"
)

// The source of an event has no name in this group, not even the dash that says so.
func TestFieldLabels(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := events.Group().AddTo(scheme); err != nil {
		t.Fatal(err)
	}
	event := schema.GroupVersionKind{Group: "events.k8s.io", Version: "v1", Kind: "Event"}
	for label, want := range map[string]string{"regarding.name": "involvedObject.name", "type": "type", "metadata.name": "metadata.name"} {
		if got, _, err := scheme.ConvertFieldLabel(event, label, "x"); err != nil || got != want {
			t.Errorf("%s selects by %q, %v, want %q", label, got, err, want)
		}
	}
	for _, label := range []string{"-", "source", "involvedObject.name"} {
		want := "field label not supported: " + label
		if got, _, err := scheme.ConvertFieldLabel(event, label, "x"); err == nil || err.Error() != want {
			t.Errorf("%s selects by %q, error %v, want %q", label, got, err, want)
		}
	}
}
