// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/raft/v3/raftpb"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/folder"
	"github.com/stoa-project/stoa/server/mapped"
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
	lock     *folder.Held
	quota    int64
	progress progress
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
// carries the logger; it does not end the server, Stop does. A start that takes long logs every ten seconds what it does.
//
// A database that reached its quota is defragmented, and written again if it then is below. One that is still full can be
// read; Healthy tells.
//
// What a first start left that was killed before it was ready is removed.
//
// If Start returns an error after etcd itself gave up, which is with ErrCorrupt, ErrDiskFull or ErrFailed, files may
// stay open and the folder stays locked until the process ends: etcd offers no way to close what it had opened. If ctx
// ended, it is unlocked as soon as the step that was under way is over.
func Start(ctx context.Context, config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start etcd in %s: %w", config.Dir, context.Cause(ctx))
	}
	held, err := folder.Lock(config.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		dir:          config.Dir,
		lock:         held,
		quota:        config.QuotaBackendBytes,
		crash:        newCrash(),
		quiet:        new(atomic.Bool),
		logger:       klog.FromContext(ctx),
		removeSocket: func() {},
		stopping:     make(chan struct{}),
		closed:       make(chan struct{}),
		done:         make(chan struct{}),
	}
	s.quiet.Store(true)
	if err := s.start(ctx, config); err != nil {
		s.removeSocket()
		if !s.crash.happened() {
			_ = held.Release()
		}
		return nil, err
	}
	s.quiet.Store(false)
	go s.watch()
	return s, nil
}

// start does what Start does once the lock is held. If it returns an error, crash says whether etcd may have files open.
func (s *Server) start(ctx context.Context, config Config) error {
	if config.StartTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, config.StartTimeout)
		defer cancel()
	}
	reporting, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.progress.report(reporting, s.dir, progressInterval)

	check := func() error {
		if err := folder.CheckAccess(filepath.Join(s.dir, "member")); err != nil {
			return err
		}
		removed, err := removeUnfinished(s.dir)
		if err != nil {
			return err
		}
		if removed {
			s.logger.Info("Started afresh: an earlier first start was killed before anything was stored", "dir", s.dir)
		}
		return checkStored(s.dir)
	}
	if err := s.attempt(ctx, "check stored data", check); err != nil {
		return err
	}
	if err := removeStaleSocket(s.dir); err != nil {
		return err
	}
	socket, removeSocket, err := placeSocket(s.dir)
	if err != nil {
		return err
	}
	s.endpoint, s.removeSocket = "unix://"+socket, removeSocket
	return s.run(ctx, config, socket)
}

// run starts etcd, waits until it is ready and connects the clients.
func (s *Server) run(ctx context.Context, config Config, socket string) error {
	logger := newLogger(s.logger, s.quiet, s.crash)
	embedConfig, err := config.embedConfig(socket, logger)
	if err != nil {
		return err
	}
	open := func() (err error) {
		if s.etcd, err = embed.StartEtcd(embedConfig); err != nil {
			return s.explain("start", err)
		}
		return nil
	}
	if err := s.attempt(ctx, "open database", open); err != nil {
		return err
	}
	s.progress.set("replay write-ahead log")
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	if err := s.makeRoom(ctx); err != nil {
		if !s.crash.happened() {
			s.etcd.Close()
		}
		return err
	}
	if s.client, err = newClient(s.etcd.Server, s.endpoint, logger); err != nil {
		s.etcd.Close()
		return fmt.Errorf("connect to embedded etcd: %w", err)
	}
	// The database is mapped with all its pages, of which few are needed. Nobody can close it before Start returns, and
	// it is not mapped anew before it outgrows its quota.
	mapped.Drop(databasePath(s.dir))
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
			s.giveUp("wait for etcd to be ready", err)
			return s.explain("serve", err)
		case <-ctx.Done():
			s.giveUp("wait for etcd to be ready", context.Cause(ctx))
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
	if err := s.lock.Release(); err != nil {
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
	return s.alarms()
}
