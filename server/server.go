// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server/bootstrap"
	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/server/storage"
)

const (
	// healthTimeout is how long etcd may take to answer a health check.
	healthTimeout = 2 * time.Second
	// stopTimeout bounds the closing of the embedded etcd.
	stopTimeout = 10 * time.Second
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
	closers []func()

	listener   *listener
	closeDelay time.Duration
	drained    <-chan struct{} // closed when every request has been answered

	mu       sync.Mutex // guards the parts of identity that are renewed
	identity *identity
}

// New starts the embedded etcd or connects to the external one, opens the port,
// makes the certificates that are missing and builds the stores. ctx bounds that
// and carries the logger. If it fails, it leaves nothing running.
func New(ctx context.Context, c CompletedOptions) (_ *Server, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Server{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	// etcd takes longest. It starts while the rest is made that does not need it.
	clients := &storage.Clients{Patience: c.Etcd.StartTimeout}
	stored := s.connect(ctx, c, clients)

	config, types, prepareErr := s.prepare(ctx, c)
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
	// Not before etcd has the lock: another server may be using the folder.
	if err := s.writeAdminKubeconfig(); err != nil {
		return nil, err
	}
	return s, s.assemble(ctx, c, config, types, clients, result.endpoints)
}

// prepare makes everything that needs no etcd: certificates, the listener, the
// configuration of the handler chain.
func (s *Server) prepare(ctx context.Context, c CompletedOptions) (*genericapiserver.Config, *types, error) {
	types, err := newTypes(c.Groups)
	if err != nil {
		return nil, nil, err
	}
	listener, err := c.Serving.listen(ctx)
	if err != nil {
		return nil, nil, err
	}
	s.closers = append(s.closers, func() { _ = listener.Close() })
	s.listener, s.closeDelay = listener, c.Serving.CloseDelay
	if s.identity, err = newIdentity(ctx, c); err != nil {
		return nil, nil, err
	}
	serving, err := c.Serving.serve(listener, s.identity.serving)
	if err != nil {
		return nil, nil, err
	}
	loopback, err := s.identity.loopback(ctx, serving)
	if err != nil {
		return nil, nil, err
	}
	clientCAs, err := c.Authentication.clientCAs(s.identity.ca)
	if err != nil {
		return nil, nil, err
	}
	s.url, s.dataDir = c.url(listener.Addr()), c.DataDir
	config, err := c.genericConfig(types, serving, loopback, clientCAs)
	return config, types, err
}

// url is where clients on this machine reach the server.
func (c CompletedOptions) url(address net.Addr) string {
	_, port, _ := net.SplitHostPort(address.String())
	host := c.Serving.BindAddress
	switch {
	case host == nil || host.IsUnspecified():
		return "https://" + net.JoinHostPort("127.0.0.1", port)
	default:
		return "https://" + net.JoinHostPort(host.String(), port)
	}
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
		Dir: dir, UnsafeNoFsync: c.Etcd.UnsafeNoFsync, QuotaBackendBytes: c.Etcd.QuotaBackendBytes,
	})
	if err != nil {
		return stored{close: remove, err: err}
	}
	endpoints := server.Endpoints()
	return stored{etcd: server, endpoints: endpoints, err: clients.Add(endpoints, server.Client()), close: func() {
		clients.Close()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_ = server.Stop(stopping)
		remove()
	}}
}

// assemble builds stores, admission and handler chain on a connected etcd.
func (s *Server) assemble(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, types *types, clients *storage.Clients, endpoints []string) error {
	etcdOptions := *c.Etcd
	upstream := *c.Etcd.EtcdOptions
	upstream.StorageConfig.Transport.ServerList = endpoints
	upstream.StorageConfig.StorageObjectCountTracker = config.StorageObjectCountTracker
	upstream.SkipHealthEndpoints = true // upstream's checks dial connections of their own
	etcdOptions.EtcdOptions = &upstream
	s.drained = config.DrainedNotify()
	if err := s.addHealthChecks(ctx, config, &etcdOptions, clients); err != nil {
		return err
	}
	factory := storageFactory(&etcdOptions, c.Groups, config, types.scheme, types.codecs)
	if err := upstream.ApplyWithStorageFactoryTo(factory, config); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if s.etcd != nil {
		s.startMonitor()
	}
	uncached, err := etcdOptions.uncached()
	if err != nil {
		return err
	}
	config.RESTOptionsGetter = clients.RESTOptionsGetter(ctx, config.RESTOptionsGetter, uncached)

	shared, err := c.admit(config)
	if err != nil {
		return err
	}
	if s.generic, err = config.Complete(shared).New("stoa", genericapiserver.NewEmptyDelegate()); err != nil {
		return fmt.Errorf("assemble API server: %w", err)
	}
	s.closers = append(s.closers, s.generic.Destroy) // Run does it too; a second time does nothing
	if err := installGroups(s.generic, config, c.Groups, types); err != nil {
		return err
	}
	return s.addHooks(config)
}

// addHooks adds what has to happen between serving and being ready.
func (s *Server) addHooks(config *genericapiserver.Config) error {
	client, err := kubernetes.NewForConfig(config.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("loopback client: %w", err)
	}
	namespaces := func(hook genericapiserver.PostStartHookContext) error {
		return bootstrap.Namespaces(hook, client)
	}
	return errors.Join(
		s.generic.AddPostStartHook("storage-readiness", s.generic.StorageReadinessHook.Hook),
		s.generic.AddPostStartHook("start-system-namespaces", namespaces),
	)
}

// addHealthChecks makes health and readiness depend on an answer from etcd.
func (s *Server) addHealthChecks(ctx context.Context, config *genericapiserver.Config, o *EtcdOptions, clients *storage.Clients) error {
	client, err := clients.Client(ctx, o.StorageConfig.Transport)
	if err != nil {
		return err
	}
	check := func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		if _, err := client.KV.Get(ctx, path.Join("/", o.StorageConfig.Prefix, "health")); err != nil {
			return fmt.Errorf("error getting data from etcd: %w", err)
		}
		return nil
	}
	config.AddHealthChecks(healthz.NamedCheck("etcd", check))
	config.AddReadyzChecks(healthz.NamedCheck("etcd-readiness", check))
	return nil
}

// Run serves until ctx ends or the embedded etcd fails. It then lets requests and
// watches end, within the limits of the options, and closes everything. The error
// says what went wrong; nil if ctx ended.
func (s *Server) Run(ctx context.Context) error {
	defer s.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if s.etcd != nil {
		go func() {
			select {
			case <-s.etcd.Done():
				cancel(fmt.Errorf("embedded etcd: %w", s.etcd.Err()))
			case <-ctx.Done():
			}
		}()
	}
	go s.renew(ctx)
	ended := make(chan struct{})
	defer close(ended)
	go s.closeConnections(ended)
	err := s.generic.PrepareRun().RunWithContext(ctx)
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
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

// close undoes what New did, last first.
func (s *Server) close() {
	for _, undo := range slices.Backward(s.closers) {
		undo()
	}
	s.closers = nil
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
