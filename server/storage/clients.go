// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/utils/clock"
)

const (
	// keepaliveTime and keepaliveTimeout find a dead etcd within 40 s, as
	// kube-apiserver does.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	// dialTimeout bounds one attempt to connect.
	dialTimeout = 20 * time.Second
	// maxBackoff is the longest time between two attempts.
	maxBackoff = 5 * time.Second
)

// Clients holds the etcd clients of one server, one for each set of endpoints.
// It is safe for concurrent use.
type Clients struct {
	// Patience is how long a cluster that does not answer is dialled again at
	// start before Client gives up. Unset: 20 s.
	Patience time.Duration

	mu     sync.Mutex
	shared map[string]*shared
	stores map[int]func() // closes the stores that were made and are not closed yet
	made   int

	streams atomic.Int64 // how many stores have a stream of their own
	closed  bool
}

// shared is one client with the compactor that keeps its cluster small.
type shared struct {
	client    *kubernetes.Client
	compactor etcd3.Compactor
	close     func()
}

// Add makes Clients use client for the endpoints instead of dialling them. The
// caller closes the client after Clients.
func (c *Clients) Add(endpoints []string, client *clientv3.Client) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.Join(endpoints, ",")
	if _, ok := c.shared[key]; ok {
		return fmt.Errorf("etcd endpoints %s have a client already", key)
	}
	c.put(key, &shared{client: wrap(client), close: func() {}})
	return nil
}

// Client returns the client for a cluster and dials it on first use. It returns
// once the connection is up, or with an error that names the endpoints.
func (c *Clients) Client(ctx context.Context, config storagebackend.TransportConfig) (*kubernetes.Client, error) {
	s, err := c.get(ctx, config)
	if err != nil {
		return nil, err
	}
	return s.client, nil
}

func (c *Clients) get(ctx context.Context, config storagebackend.TransportConfig) (*shared, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("etcd clients are closed")
	}
	key := strings.Join(config.ServerList, ",")
	if s, ok := c.shared[key]; ok {
		return s, nil
	}
	client, err := dial(ctx, config, c.Patience)
	if err != nil {
		return nil, err
	}
	s := &shared{client: wrap(client), close: func() { _ = client.Close() }}
	c.put(key, s)
	return s, nil
}

// compactor returns the compactor of a cluster and starts it on first use; nil if
// interval is zero, which switches compaction off.
func (c *Clients) compactor(s *shared, interval time.Duration) etcd3.Compactor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.compactor == nil && interval > 0 && !c.closed {
		compactor := etcd3.NewCompactor(s.client.Client, interval, clock.RealClock{}, nil)
		s.compactor = compactor
		closeClient := s.close
		s.close = func() {
			compactor.Stop()
			closeClient()
		}
	}
	return s.compactor
}

// Close closes the stores that were made, also those that nobody served, stops all
// compactors and closes the clients that were dialled.
func (c *Clients) Close() {
	c.mu.Lock()
	stores := c.stores
	c.stores, c.closed = nil, true
	c.mu.Unlock()
	for _, closeStore := range stores {
		closeStore()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.shared {
		s.close()
	}
	c.shared = nil
}

func (c *Clients) put(key string, s *shared) {
	if c.shared == nil {
		c.shared = map[string]*shared{}
	}
	c.shared[key] = s
}

// wrap makes the client that etcd3 wants, which measures each call.
func wrap(client *clientv3.Client) *kubernetes.Client {
	wrapped := &kubernetes.Client{Client: client}
	wrapped.Kubernetes = wrapped
	wrapped.KV = etcd3.NewETCDLatencyTracker(wrapped.KV)
	return wrapped
}

// dial connects to a cluster, again and again until patience is used up.
func dial(ctx context.Context, config storagebackend.TransportConfig, patience time.Duration) (*clientv3.Client, error) {
	etcdConfig := clientv3.Config{
		Endpoints:            config.ServerList,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    keepaliveTime,
		DialKeepAliveTimeout: keepaliveTimeout,
		Logger:               zap.NewNop(),
		// gRPC's own limit is two minutes, which is how long a server would stay away
		// after a long outage of etcd.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Second, Multiplier: backoff.DefaultConfig.Multiplier, Jitter: backoff.DefaultConfig.Jitter, MaxDelay: maxBackoff},
			MinConnectTimeout: dialTimeout,
		})},
	}
	if config.CertFile != "" || config.KeyFile != "" || config.TrustedCAFile != "" {
		tls := transport.TLSInfo{CertFile: config.CertFile, KeyFile: config.KeyFile, TrustedCAFile: config.TrustedCAFile}
		tlsConfig, err := tls.ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("etcd client certificate (--etcd-certfile, --etcd-keyfile, --etcd-cafile): %w", err)
		}
		etcdConfig.TLS = tlsConfig
	}
	client, err := clientv3.New(etcdConfig)
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %s: %w", strings.Join(config.ServerList, ","), err)
	}
	if patience <= 0 {
		patience = dialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := waitReady(ctx, client); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("connect to etcd at %s within %s: %w", strings.Join(config.ServerList, ","), patience, err)
	}
	return client, nil
}

// waitReady returns when one endpoint has answered. The error says why the last
// attempt failed.
func waitReady(ctx context.Context, client *clientv3.Client) error {
	conn := client.ActiveConnection()
	var last error
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			conn.Connect()
		case connectivity.TransientFailure:
			// The connection tells the reason only to a call, which fails at once.
			if _, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/etcdserverpb.Watch/Watch"); err != nil && ctx.Err() == nil {
				last = errors.New(status.Convert(err).Message())
			}
		case connectivity.Shutdown:
			return errors.New("connection was closed")
		}
		if !conn.WaitForStateChange(ctx, state) {
			return cmp.Or(last, ctx.Err())
		}
	}
}
