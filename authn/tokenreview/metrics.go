// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tokenreview

import (
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// Values of labels.
const (
	resultSuccess = "success"
	resultFailure = "failure"
	becauseOpen   = "breaker"
	becauseBusy   = "inflight"
	becauseRate   = "rate"
)

// measures are the metrics of webhooks.
type measures struct {
	state           *metrics.Gauge
	calls, rejected *metrics.CounterVec
}

// measured are those of all servers of a process, which have one registry of metrics.
var measured = sync.OnceValue(func() measures { //nolint:gochecknoglobals // like the registry
	const namespace, subsystem = "stoa", "authentication_webhook"
	m := measures{
		state: metrics.NewGauge(&metrics.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "breaker_state", StabilityLevel: metrics.ALPHA,
			Help: "State of the circuit breaker before the token webhook: 0 closed, 1 half-open, 2 open",
		}),
		calls: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "calls_total", StabilityLevel: metrics.ALPHA,
			Help: "Number of calls to the token webhook, retries among them, by whether it answered",
		}, []string{"result"}),
		rejected: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "rejected_total", StabilityLevel: metrics.ALPHA,
			Help: "Number of calls that were not made to the token webhook, by what forbade them: breaker, inflight or rate",
		}, []string{"reason"}),
	}
	legacyregistry.MustRegister(m.state, m.calls, m.rejected)
	return m
})
