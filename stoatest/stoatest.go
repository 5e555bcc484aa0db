// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package stoatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server"
)

// startTimeout is how long a start may take before the test fails. It is long
// because machines that run many tests are slow.
const startTimeout = 2 * time.Minute

// Option changes how a server starts.
type Option func(*settings)

type settings struct {
	dir     string
	groups  []kind.Group
	flags   []string
	options []func(*server.Options)
}

// WithDataDir keeps data and certificates in a folder that outlives the server,
// so that a second Start finds them. The folder is made if it is missing.
func WithDataDir(dir string) Option { return func(s *settings) { s.dir = dir } }

// WithGroups serves API groups beside the built-in ones.
func WithGroups(groups ...kind.Group) Option {
	return func(s *settings) { s.groups = append(s.groups, groups...) }
}

// WithFlags sets flags of "stoa start", each as "--name=value".
func WithFlags(flags ...string) Option {
	return func(s *settings) { s.flags = append(s.flags, flags...) }
}

// WithOptions changes options that have no flag. It is called before flags are set.
func WithOptions(change func(*server.Options)) Option {
	return func(s *settings) { s.options = append(s.options, change) }
}

// WithFsync makes etcd wait for the disk, as in production.
func WithFsync() Option { return WithFlags("--unsafe-no-fsync=false") }

// Server is a running API server.
type Server struct {
	tb     testing.TB
	cancel context.CancelFunc
	done   chan error
	url    string

	mu sync.Mutex
	// server is nil once it is stopped: the test keeps what it started to its end, and
	// would keep all memory of each server.
	server *server.Server
	last   *rest.Config // what Config returns then
}

// Start starts a server and returns when it is ready; the test fails if it does
// not become ready. The server is stopped when the test and its subtests are over.
func Start(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	s, err := start(tb, options)
	if err != nil {
		tb.Fatalf("start API server: %v", err)
	}
	tb.Cleanup(s.Stop)
	return s
}

func start(tb testing.TB, options []Option) (*Server, error) {
	if err := tb.Context().Err(); err != nil {
		return nil, fmt.Errorf("the test is over: %w", err)
	}
	var set settings
	for _, option := range options {
		option(&set)
	}
	completed, err := set.complete(tb.Context())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	api, err := server.New(ctx, completed)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &Server{tb: tb, cancel: cancel, done: make(chan error, 1), url: api.URL(), server: api}
	go func() {
		err := api.Run(ctx)
		cancel()
		s.done <- err
		close(s.done)
	}()
	waiting, stop := context.WithTimeout(ctx, startTimeout)
	defer stop()
	if err := api.WaitReady(waiting); err != nil {
		s.cancel()
		return nil, errors.Join(err, <-s.done)
	}
	return s, nil
}

// complete turns settings into options of a server.
func (s settings) complete(ctx context.Context) (server.CompletedOptions, error) {
	o := server.NewOptions()
	o.DataDir = s.dir
	o.Groups = append(o.Groups, s.groups...)
	o.Etcd.UnsafeNoFsync = true
	o.Serving.BindAddress = net.IPv4(127, 0, 0, 1)
	o.Serving.BindPort = 0
	o.Serving.CloseDelay = 0 // tests do not ask a server that they stopped
	for _, change := range s.options {
		change(o)
	}
	flags := o.Flags()
	flags.Usage = func() {}
	if err := flags.Parse(s.flags); err != nil {
		return server.CompletedOptions{}, err
	}
	if flags.NArg() > 0 {
		return server.CompletedOptions{}, fmt.Errorf("WithFlags: %q must begin with two dashes", flags.Arg(0))
	}
	return o.Complete(ctx)
}

// Config returns a client configuration with every right. Its requests are not
// throttled. Each call returns a copy.
func (s *Server) Config() *rest.Config {
	if api := s.running(); api != nil {
		return api.AdminConfig()
	}
	if s.last == nil { // a server without a CA
		return nil
	}
	return rest.CopyConfig(s.last)
}

// URL is where the server listens.
func (s *Server) URL() string { return s.url }

// Etcd is a client of the server's etcd, to see what is stored or to compact it; nil
// once the server is stopped.
func (s *Server) Etcd() *clientv3.Client {
	if api := s.running(); api != nil {
		return api.Etcd()
	}
	return nil
}

// Kubeconfig writes a kubeconfig with every right to a file that the test removes,
// and returns its path. The server must not be stopped.
func (s *Server) Kubeconfig() string {
	s.tb.Helper()
	api := s.running()
	if api == nil {
		s.tb.Fatalf("write kubeconfig: the server is stopped")
	}
	path := filepath.Join(s.tb.TempDir(), "kubeconfig")
	if err := api.WriteKubeconfig(path); err != nil {
		s.tb.Fatalf("write kubeconfig: %v", err)
	}
	return path
}

// running returns the server, or nil if it is stopped.
func (s *Server) running() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// Stop stops the server, as an interrupt does, and waits until it is gone. Start
// arranges for it to be called; a test calls it to start the server again on the
// same data. More calls do nothing.
func (s *Server) Stop() {
	s.tb.Helper()
	s.cancel()
	if err := <-s.done; err != nil {
		s.tb.Errorf("API server: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server, s.last = nil, s.server.AdminConfig()
	}
}
