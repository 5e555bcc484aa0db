// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/server/folder"
	"github.com/stoa-project/stoa/server/host"
	"github.com/stoa-project/stoa/server/storage"
)

const (
	// stopTimeout bounds the closing of the stores and the embedded etcd.
	stopTimeout = 10 * time.Second
	// failTimeout is how long the server goes on to stop in order when etcd has failed,
	// and then bounds the closing.
	failTimeout = 3 * time.Second
	// loopbackLifetime is how long a process can run before its connection to itself
	// stops working; upstream has three years.
	loopbackLifetime = 10 * 365 * 24 * time.Hour
)

// Server is an API server that is assembled but does not serve yet.
type Server struct {
	generic *genericapiserver.GenericAPIServer
	url     string
	dataDir string       // empty if nothing is kept
	etcd    *etcd.Server // nil with --etcd-servers
	// etcdHealth says of each etcd cluster what is wrong with it.
	etcdHealth []func(context.Context) error
	closers    []func()
	closing    sync.Once
	ran        atomic.Bool // Run ends what New began

	listener   *listener
	closeDelay time.Duration
	drained    <-chan struct{} // closed when every request has been answered

	clientCAs  []dynamiccertificates.CAContentProvider
	frontProxy *frontProxy
	tokens     *tokens    // nil in aggregated mode
	host       *host.Host // nil without

	mu       sync.Mutex // guards the parts of identity that are renewed
	identity *identity
}

// New starts the embedded etcd or connects to the external one, opens the port,
// makes the certificates that are missing and builds the stores. ctx bounds that
// and carries the logger. If it fails, it leaves nothing running, but for the empty queues
// of what reads certificates if one of these is wrong; upstream logs the end of others.
func New(ctx context.Context, c CompletedOptions) (_ *Server, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	ctx = withoutBodies(ctx)
	s := &Server{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	// First: nothing of a folder that a running server uses may be touched.
	if c.DataDir != "" {
		held, err := folder.Lock(c.DataDir)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, func() { _ = held.Release() })
	}
	// etcd takes longest. It starts while the rest is made that does not need it.
	clients := &storage.Clients{Patience: c.Etcd.StartTimeout}
	stored := s.connect(ctx, c, clients)

	config, prepareErr := s.prepare(ctx, c)
	result := <-stored
	s.etcd = result.etcd
	s.closers = append(s.closers, result.close)
	// Often both have the same cause, for example a folder that cannot be written.
	if result.err != nil {
		return nil, result.err
	}
	if prepareErr != nil {
		return nil, prepareErr
	}
	if err := s.writeAdminKubeconfig(); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() {
		if !s.ran.Load() {
			discardCertificates(ctx, config.SecureServing)
		}
	})
	if err := s.assemble(ctx, c, config, clients, result.endpoints); err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes everything that needs no etcd: certificates, the listener, the
// configuration of the handler chain.
func (s *Server) prepare(ctx context.Context, c CompletedOptions) (*genericapiserver.Config, error) {
	listener, err := c.Serving.listen(ctx)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = listener.Close() })
	s.listener, s.closeDelay = listener, c.Serving.CloseDelay
	if c.Host.Aggregated {
		err = s.prepareBehind(ctx, c)
	} else {
		err = s.prepareAlone(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	serving, err := c.Serving.serve(listener, s.identity.serving)
	if err != nil {
		return nil, err
	}
	loopback, err := s.identity.loopback(ctx, serving)
	if err != nil {
		return nil, err
	}
	s.url, s.dataDir = c.url(listener.Addr()), c.DataDir
	config, err := c.genericConfig(serving, loopback)
	if err != nil {
		return nil, err
	}
	return config, c.Audit.audit(ctx, config)
}

// prepareAlone makes or loads the certificates and keys of a server that is behind no
// other one.
func (s *Server) prepareAlone(ctx context.Context, c CompletedOptions) error {
	var err error
	if s.identity, err = newIdentity(ctx, c); err != nil {
		return err
	}
	if s.clientCAs, err = c.Authentication.clientCAs(s.identity.ca); err != nil {
		return err
	}
	proxy, remove, err := newFrontProxy(ctx, c)
	s.closers = append(s.closers, remove)
	if err != nil {
		return err
	}
	s.frontProxy = proxy
	s.tokens, err = newTokens(ctx, c)
	return err
}

// url is where clients on this machine reach the server.
func (c CompletedOptions) url(address net.Addr) string {
	_, port, _ := net.SplitHostPort(address.String())
	return "https://" + net.JoinHostPort(c.host(), port)
}

// host is how clients on this machine name the server.
func (c CompletedOptions) host() string {
	if host := c.Serving.BindAddress; host != nil && !host.IsUnspecified() {
		return host.String()
	}
	return "127.0.0.1"
}

// stored is the outcome of connecting to etcd.
type stored struct {
	etcd      *etcd.Server
	endpoints []string
	close     func()
	err       error
}

// connect starts the embedded etcd in the background, if there is one.
func (s *Server) connect(ctx context.Context, c CompletedOptions, clients *storage.Clients) <-chan stored {
	result := make(chan stored, 1)
	if endpoints := c.Etcd.StorageConfig.Transport.ServerList; len(endpoints) > 0 {
		go func() {
			_, err := clients.Client(ctx, c.Etcd.StorageConfig.Transport)
			result <- stored{endpoints: endpoints, close: clients.Close, err: err}
		}()
		return result
	}
	go func() { result <- startEmbedded(ctx, c, clients) }()
	return result
}

func startEmbedded(ctx context.Context, c CompletedOptions, clients *storage.Clients) stored {
	dir, remove := c.embedded, func() {}
	if dir == "" {
		temporary, err := os.MkdirTemp("", "stoa-")
		if err != nil {
			return stored{close: remove, err: fmt.Errorf("folder for etcd: %w", err)}
		}
		dir, remove = filepath.Join(temporary, "etcd"), func() { _ = os.RemoveAll(temporary) }
	}
	server, err := etcd.Start(ctx, etcd.Config{
		Dir: dir, UnsafeNoFsync: c.Etcd.UnsafeNoFsync, QuotaBackendBytes: c.Etcd.QuotaBackendBytes, StartTimeout: c.Etcd.StartTimeout,
	})
	if err != nil {
		return stored{close: remove, err: err}
	}
	endpoints := server.Endpoints()
	return stored{etcd: server, endpoints: endpoints, err: clients.Add(endpoints, server.Client()), close: func() {
		limit := stopTimeout
		if server.Err() != nil {
			limit = failTimeout
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		_ = within(stopping, func(ctx context.Context) error {
			clients.Close()
			return server.Stop(ctx)
		})
		remove()
	}}
}

// within does something and waits for it until ctx ends. A call that is inside an
// embedded etcd that has failed, on a full disk for example, does not look at ctx and
// never returns; whoever waits for it, such as a compactor that is stopped, does not
// either.
func within(ctx context.Context, do func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run serves until ctx ends or the embedded etcd fails. It then lets requests and
// watches end, within the limits of the options, and closes the server. The error
// says what went wrong; nil if ctx ended.
func (s *Server) Run(ctx context.Context) error {
	s.ran.Store(true)
	defer s.Close()
	serving, stop := context.WithCancel(withoutBodies(ctx))
	defer stop()
	if s.etcd != nil {
		go func() {
			select {
			case <-s.etcd.Done():
				stop()
			case <-serving.Done():
			}
		}()
	}
	go s.renew(serving)
	ended := make(chan struct{})
	defer close(ended)
	go s.closeConnections(ended)
	result := make(chan error, 1)
	go func() { result <- s.generic.PrepareRun().RunWithContext(serving) }()
	if s.etcd == nil {
		return <-result
	}
	select {
	case err := <-result:
		return err
	case <-s.etcd.Done():
	}
	// Requests that are inside a failed etcd never return; do not wait for them.
	select {
	case err := <-result:
		if err != nil {
			klog.FromContext(ctx).Error(err, "Did not stop in order")
		}
	case <-time.After(failTimeout):
	}
	return fmt.Errorf("embedded etcd: %w", s.etcd.Err())
}

// closeConnections closes what clients left open once there is nothing more to
// answer.
func (s *Server) closeConnections(ended <-chan struct{}) {
	select {
	case <-s.drained:
	case <-ended:
		return
	}
	select {
	case <-time.After(s.closeDelay):
	case <-ended:
	}
	s.listener.closeConnections()
}

// Close undoes what New did, last first. Run does it too; a server that is never run
// must be closed. What it has in memory ends soon after, but for two goroutines of
// upstream's aggregator, which end only in one that was ready, and the one that rotates an
// audit log. A second call does nothing.
func (s *Server) Close() {
	s.closing.Do(func() {
		for _, undo := range slices.Backward(s.closers) {
			undo()
		}
	})
}

// URL is where clients on this machine reach the server.
func (s *Server) URL() string { return s.url }

// Etcd is a client of the embedded etcd, for what the API has no call for, such as
// compaction. It works while the server runs; nil with --etcd-servers.
func (s *Server) Etcd() *clientv3.Client {
	if s.etcd == nil {
		return nil
	}
	return s.etcd.Client()
}

// Loopback returns a client configuration with every right, for code in the same
// process. It works while the server runs.
func (s *Server) Loopback() *rest.Config { return rest.CopyConfig(s.generic.LoopbackClientConfig) }
