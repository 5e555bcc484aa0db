// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garbagecollector

import (
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// syncErrors counts for all servers of a process, which have one registry of metrics.
var syncErrors = sync.OnceValue(func() *metrics.Counter { //nolint:gochecknoglobals // like the registry
	counter := metrics.NewCounter(&metrics.CounterOpts{
		Subsystem: "garbagecollector_controller", Name: "resources_sync_error_total", StabilityLevel: metrics.ALPHA,
		Help: "Number of garbage collector resources sync errors",
	})
	legacyregistry.MustRegister(counter)
	return counter
})
