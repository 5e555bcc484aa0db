// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apiserver/pkg/storage/etcd3/metrics"
)

// monitor tells the metrics how big the embedded database is. Upstream's monitor
// dials etcd, and in a process with several servers goes on dialling one that was
// stopped: a scrape of another then takes until the dial times out.
type monitor struct {
	mu       sync.Mutex
	client   *clientv3.Client // nil once etcd stops
	endpoint string
}

var _ metrics.Monitor = (*monitor)(nil)

// startMonitor replaces the monitor of the process, of which there is one.
func (s *Server) startMonitor() {
	m := &monitor{client: s.etcd.Client(), endpoint: s.etcd.Endpoints()[0]}
	metrics.SetStorageMonitorGetter(func() ([]metrics.Monitor, error) { return []metrics.Monitor{m}, nil })
	s.closers = append(s.closers, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.client = nil
	})
}

// Monitor implements metrics.Monitor.
func (m *monitor) Monitor(ctx context.Context) (metrics.StorageMetrics, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == nil {
		return metrics.StorageMetrics{}, fmt.Errorf("etcd at %s is stopped", m.endpoint)
	}
	status, err := m.client.Status(ctx, m.endpoint)
	if err != nil {
		return metrics.StorageMetrics{}, err
	}
	return metrics.StorageMetrics{Size: status.DbSize}, nil
}

// Close implements metrics.Monitor.
func (m *monitor) Close() error { return nil }
