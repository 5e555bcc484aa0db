// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package events serves the group events.k8s.io, whose one kind is an event of the
// core group in another form.
package events

import (
	"github.com/stoa-project/stoa/apis/events"
	eventsv1 "github.com/stoa-project/stoa/apis/events/v1"
	"github.com/stoa-project/stoa/registry/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group events.k8s.io.
func Group() kind.Group {
	return kind.Group{
		Name:      events.GroupName,
		Install:   kind.Types(eventsv1.AddToScheme),
		Resources: []kind.Resource{{Kind: core.Events(), Versions: []string{"v1"}}},
	}
}
