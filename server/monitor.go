// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"sync"

	"k8s.io/apiserver/pkg/storage/etcd3/metrics"

	"github.com/stoa-project/stoa/server/etcd"
)

// monitors tell the metrics, which are those of the process, how big the embedded
// databases are that are open now. Upstream's monitor dials etcd, and goes on
// dialling one that was stopped: a scrape then takes until the dial times out.
var monitors monitorSet //nolint:gochecknoglobals // so is upstream's list of them

type monitorSet struct {
	mu   sync.Mutex
	open map[*etcd.Server]struct{}
}

// startMonitor has the server's database measured until it is closed.
func (s *Server) startMonitor() {
	metrics.SetStorageMonitorGetter(monitors.get)
	monitors.mu.Lock()
	defer monitors.mu.Unlock()
	if monitors.open == nil {
		monitors.open = map[*etcd.Server]struct{}{}
	}
	monitors.open[s.etcd] = struct{}{}
	s.closers = append(s.closers, func() {
		monitors.mu.Lock()
		defer monitors.mu.Unlock()
		delete(monitors.open, s.etcd)
	})
}

func (m *monitorSet) get() ([]metrics.Monitor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []metrics.Monitor
	for server := range m.open {
		out = append(out, monitor{server})
	}
	return out, nil
}

// monitor measures one database.
type monitor struct{ etcd *etcd.Server }

var _ metrics.Monitor = monitor{}

// Monitor implements metrics.Monitor.
func (m monitor) Monitor(ctx context.Context) (metrics.StorageMetrics, error) {
	status, err := m.etcd.Client().Status(ctx, m.etcd.Endpoints()[0])
	if err != nil {
		return metrics.StorageMetrics{}, err
	}
	return metrics.StorageMetrics{Size: status.DbSize}, nil
}

// Close implements metrics.Monitor.
func (m monitor) Close() error { return nil }
