// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/raft/v3/raftpb"
	"k8s.io/klog/v2"
)

// Server is a running etcd. Its life:
//
//	Start ──► running ──Stop──► Done closed, Err nil
//	             └──etcd fails──► Done closed, Err set ──Stop──► folder released
type Server struct {
	dir      string
	endpoint string
	etcd     *embed.Etcd
	client   *kubernetes.Client
	lock     *lock
	crash    *crash
	quiet    *atomic.Bool
	logger   klog.Logger
	// removeSocket deletes the socket; etcd does too when it stops in order.
	removeSocket func()

	// stopping is closed by the first Stop, closed after everything is shut down.
	stopping  chan struct{}
	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error

	// done is closed when etcd has ended, however that came about; err is written before.
	done chan struct{}
	err  error
}

// Start locks the folder, starts etcd on it and returns when it can be read and written. ctx bounds the start and
// carries the logger; it does not end the server, Stop does.
//
// If Start returns an error after etcd itself gave up, which is with ErrCorrupt, ErrDiskFull or ErrFailed, files may
// stay open and the folder stays locked until the process ends: etcd offers no way to close what it had opened.
func Start(ctx context.Context, config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := prepareFolder(config.Dir); err != nil {
		return nil, err
	}
	held, err := acquireLock(config.Dir)
	if err != nil {
		return nil, err
	}
	s, err := startLocked(ctx, config, held)
	if err != nil {
		if s == nil || !s.crash.happened() {
			_ = held.release()
		}
		return nil, err
	}
	return s, nil
}

// startLocked does what Start does once the lock is held. With an error it may return a server, whose crash says
// whether etcd still has files open.
func startLocked(ctx context.Context, config Config, held *lock) (*Server, error) {
	if err := checkStored(config.Dir); err != nil {
		return nil, err
	}
	if err := removeStaleSocket(config.Dir, held.previousSocket); err != nil {
		return nil, err
	}
	socket, removeSocket, err := placeSocket(config.Dir)
	if err != nil {
		return nil, err
	}
	if err := held.write(socket); err != nil {
		removeSocket()
		return nil, err
	}
	s := &Server{
		dir:          config.Dir,
		endpoint:     "unix://" + socket,
		lock:         held,
		crash:        newCrash(),
		quiet:        new(atomic.Bool),
		logger:       klog.FromContext(ctx),
		removeSocket: removeSocket,
		stopping:     make(chan struct{}),
		closed:       make(chan struct{}),
		done:         make(chan struct{}),
	}
	s.quiet.Store(true)
	if err := s.run(ctx, config, socket); err != nil {
		removeSocket()
		return s, err
	}
	s.quiet.Store(false)
	go s.watch()
	return s, nil
}

// run starts etcd, waits until it is ready and connects the clients.
func (s *Server) run(ctx context.Context, config Config, socket string) error {
	logger := newLogger(s.logger, s.quiet, s.crash)
	embedConfig, err := config.embedConfig(socket, logger)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, config.StartTimeout)
	defer cancel()
	if s.etcd, err = s.startEmbedded(ctx, embedConfig); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	if s.client, err = newClient(s.etcd.Server, s.endpoint, logger); err != nil {
		s.etcd.Close()
		return fmt.Errorf("connect to embedded etcd: %w", err)
	}
	return nil
}

// awaitReady waits until etcd has a leader, which is this member, and has published it. By itself a member lets some
// ticks pass before it stands for election, in case another one leads. There is no other, so it is told to stand at once,
// with the message by which a leader that steps down names its successor; a leader ignores it. Short ticks would do as
// well, but cost 1 % of a processor core for ever.
func (s *Server) awaitReady(ctx context.Context) error {
	ticker := time.NewTicker(electInterval)
	defer ticker.Stop()
	for {
		if s.mayStand() {
			if err := s.stand(ctx); err != nil {
				s.logger.V(infoVerbosity).Info("Did not stand for election", "err", err)
			}
		}
		select {
		case <-s.etcd.Server.ReadyNotify():
			return nil
		case <-s.crash.done:
			return s.crashError()
		case err := <-s.etcd.Err():
			s.etcd.Close()
			return s.explain("serve", err)
		case <-ctx.Done():
			s.etcd.Close()
			return fmt.Errorf("wait for etcd in %s to be ready: %w", s.dir, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// mayStand says whether there is no leader and everything in the log is applied. Raft refuses to stand before that.
func (s *Server) mayStand() bool {
	server := s.etcd.Server
	return server.Leader() == 0 && server.AppliedIndex() >= server.CommittedIndex()
}

// stand begins an election.
func (s *Server) stand(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, standTimeout)
	defer cancel()
	id := uint64(s.etcd.Server.MemberID())
	message := &raftpb.Message{Type: raftpb.MsgTimeoutNow.Enum(), From: &id, To: &id}
	err := s.etcd.Server.Process(ctx, message)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // busy, or about to fail: the caller sees which
	}
	return err
}

// startEmbedded runs embed.StartEtcd in a goroutine of its own, because etcd ends the goroutine, by way of crash, or
// panics when it cannot read its data.
func (s *Server) startEmbedded(ctx context.Context, config *embed.Config) (*embed.Etcd, error) {
	type result struct {
		etcd *embed.Etcd
		err  error
	}
	results := make(chan result, 1)
	go func() {
		// A page that cannot be read becomes a panic of this goroutine in place of the end of the process.
		debug.SetPanicOnFault(true)
		r := result{err: errAborted}
		defer func() {
			if p := recover(); p != nil {
				s.crash.record("read stored data", fmt.Errorf("%w: %v", errPanicked, p))
				r.err = errAborted
			}
			results <- r
		}()
		r.etcd, r.err = embed.StartEtcd(config)
	}()
	select {
	case r := <-results:
		if s.crash.happened() {
			return nil, s.crashError()
		}
		if r.err != nil {
			return nil, s.explain("start", r.err)
		}
		return r.etcd, nil
	case <-ctx.Done():
		// Still replaying a long log. The goroutine cannot be interrupted; close what it makes when it is done.
		s.crash.record("start", context.Cause(ctx))
		go func() {
			if r := <-results; r.etcd != nil {
				r.etcd.Close()
			}
		}()
		return nil, fmt.Errorf("start etcd in %s: %w", s.dir, context.Cause(ctx))
	}
}

// watch ends the server when etcd ends by itself.
func (s *Server) watch() {
	defer close(s.done)
	select {
	case <-s.stopping:
		<-s.closed
	case <-s.crash.done:
		s.err = s.crashError()
	case err, ok := <-s.etcd.Err():
		if ok && err != nil {
			s.err = s.explain("serve", err)
			return
		}
		s.err = s.endedByItself()
	case <-s.etcd.Server.StopNotify():
		s.err = s.endedByItself()
	}
}

// endedByItself tells a stop that was asked for from one that was not: both close the same channels of etcd.
func (s *Server) endedByItself() error {
	select {
	case <-s.stopping:
		<-s.closed
		return nil
	default:
		return fmt.Errorf("%w: data folder %s", ErrFailed, s.dir)
	}
}

// Client returns the client that all parts of the process share. It calls etcd in the process, without a connection.
// What it returns may be shared with other callers and must not be changed. It is closed by Stop.
func (s *Server) Client() *clientv3.Client { return s.client.Client }

// Kubernetes returns the same client in the form that the storage layer of k8s.io/apiserver takes.
func (s *Server) Kubernetes() *kubernetes.Client { return s.client }

// Endpoints returns the address for clients in other processes. Only the user who started the server can connect.
func (s *Server) Endpoints() []string { return []string{s.endpoint} }

// Dir returns the absolute path of the data folder.
func (s *Server) Dir() string { return s.dir }

// Done is closed when etcd has ended, after Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns why etcd ended. It is nil while etcd runs, and after an orderly Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop flushes and closes etcd, removes the socket and releases the folder. It may be called any number of times and
// from any goroutine; all calls wait for the one shutdown. If ctx ends first, the shutdown goes on in the background.
// After etcd failed it may never end, because a failed etcd keeps its locks; the folder then stays locked until the
// process ends.
func (s *Server) Stop(ctx context.Context) error {
	s.closeOnce.Do(func() {
		close(s.stopping)
		go s.close()
	})
	select {
	case <-s.closed:
		return s.closeErr
	case <-ctx.Done():
		return fmt.Errorf("stop etcd in %s: %w", s.dir, context.Cause(ctx))
	}
}

func (s *Server) close() {
	defer close(s.closed)
	s.quiet.Store(true)
	started := time.Now()
	// First the clients: etcd waits for open watches.
	clientErr := s.client.Close()
	s.etcd.Close()
	s.removeSocket()
	if err := s.lock.release(); err != nil {
		s.closeErr = err
	} else if clientErr != nil && !errors.Is(clientErr, context.Canceled) {
		s.closeErr = fmt.Errorf("close etcd client: %w", clientErr)
	}
	s.logger.V(startupVerbosity).Info("Stopped etcd", "dir", s.dir, "took", time.Since(started))
}

// Healthy reads through the consensus protocol and looks for alarms. A full database is ErrDiskFull: it can be read
// but not written.
func (s *Server) Healthy(ctx context.Context) error {
	if s.crash.happened() {
		return s.crashError()
	}
	if _, err := s.client.KV.Get(ctx, "health", clientv3.WithCountOnly()); err != nil {
		return fmt.Errorf("read from etcd: %w", err)
	}
	return s.alarms(ctx)
}
