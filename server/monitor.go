// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apiserver/pkg/storage/etcd3/metrics"

	"github.com/stoa-project/stoa/server/etcd"
)

// monitors tell the metrics, which are those of the process, how big the embedded
// databases are that are open now. Upstream's monitor dials etcd, and goes on
// dialling one that was stopped: a scrape then takes until the dial times out.
var monitors monitorSet //nolint:gochecknoglobals // so is upstream's list of them

type monitorSet struct {
	mu sync.Mutex
	// open has those who measure each database now.
	open map[*etcd.Server]*sync.WaitGroup
}

// startMonitor has the server's database measured until it is closed. It is closed when
// nobody measures it any more: etcd crashes if it is asked then.
func (s *Server) startMonitor(ctx context.Context) {
	metrics.SetStorageMonitorGetter(monitors.get)
	monitors.mu.Lock()
	defer monitors.mu.Unlock()
	if monitors.open == nil {
		monitors.open = map[*etcd.Server]*sync.WaitGroup{}
	}
	measuring := &sync.WaitGroup{}
	monitors.open[s.etcd] = measuring
	s.closers = append(s.closers, func() {
		monitors.mu.Lock()
		delete(monitors.open, s.etcd)
		monitors.mu.Unlock()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTimeout)
		defer cancel()
		_ = within(stopping, func(context.Context) error {
			measuring.Wait()
			return nil
		})
	})
}

// begin returns what says that a database is no longer measured, or nil if it is closed.
func (m *monitorSet) begin(server *etcd.Server) (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	measuring := m.open[server]
	if measuring == nil {
		return nil
	}
	measuring.Add(1)
	return measuring.Done
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
	end := monitors.begin(m.etcd)
	if end == nil {
		return metrics.StorageMetrics{}, errors.New("the database has been closed")
	}
	defer end()
	status, err := m.etcd.Client().Status(ctx, m.etcd.Endpoints()[0])
	if err != nil {
		return metrics.StorageMetrics{}, err
	}
	return metrics.StorageMetrics{Size: status.DbSize}, nil
}

// Close implements metrics.Monitor.
func (m monitor) Close() error { return nil }
