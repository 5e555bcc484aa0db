// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// Syncs are the metrics that some controllers of Kubernetes have beside those of their
// queue: how often they looked at a key, how long that took, and what came of it.
type Syncs struct {
	total    *metrics.CounterVec
	duration *metrics.HistogramVec
}

// NewSyncs registers the metrics of a controller, which a process does once. total and
// duration are their help texts.
func NewSyncs(subsystem, total, duration string) Syncs {
	code := []string{"code"}
	s := Syncs{
		total: metrics.NewCounterVec(&metrics.CounterOpts{
			Subsystem: subsystem, Name: "sync_total", StabilityLevel: metrics.ALPHA, Help: total,
		}, code),
		duration: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Subsystem: subsystem, Name: "sync_duration_seconds", StabilityLevel: metrics.ALPHA, Help: duration,
			Buckets: metrics.ExponentialBuckets(0.001, 2, 15),
		}, code),
	}
	legacyregistry.MustRegister(s.total, s.duration)
	return s
}

// Observe counts what began at a time and ended now.
func (s Syncs) Observe(begin time.Time, err error) {
	code := http.StatusOK
	if err != nil {
		code = http.StatusInternalServerError
		var status apierrors.APIStatus
		if errors.As(err, &status) && status.Status().Code != 0 {
			code = int(status.Status().Code)
		}
	}
	s.total.WithLabelValues(strconv.Itoa(code)).Inc()
	s.duration.WithLabelValues(strconv.Itoa(code)).Observe(time.Since(begin).Seconds())
}
