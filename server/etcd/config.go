// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

const (
	// memberName is stored with the data and must not change between releases.
	memberName = "stoa"
	// peerURL is a name, not an address: a single member has no peers and nothing listens for them.
	peerURL = "http://stoa.invalid:2380"

	defaultQuotaBytes   = 8 << 30
	defaultRequestBytes = 1536 << 10

	// etcd wants at least five ticks to an election. The start does not wait for one, see awaitReady, and a single member
	// never loses its lead, however busy the machine is. An election's length also bounds the shortest lease, to 1 s.
	tickMillis     = 100
	electionMillis = 500
	// electInterval is how often a start looks whether it may stand for election.
	electInterval = time.Millisecond
	standTimeout  = 100 * time.Millisecond

	// snapshotEntries bounds the log that is read again at a restart. A snapshot of the log is some kilobytes.
	snapshotEntries = 1000
	// catchUpEntries is how many applied log entries stay in memory for slow followers. There are none, and at etcd's
	// default of 5000 a server with objects of 4 kB keeps 20 MB for nothing.
	catchUpEntries = 100
	// walFiles is how many old 64 MB log segments are kept.
	walFiles = 2
	// defragThresholdMegabytes is how much free space in the file makes a start rewrite it (about 1 s per GB).
	defragThresholdMegabytes = 512

	progressNotifyInterval = 5 * time.Second
	slowApply              = 500 * time.Millisecond
	slowRequest            = time.Second
)

// Config says where and how the embedded etcd runs. Only Dir is required.
type Config struct {
	// Dir holds all data, and the lock and socket while the server runs. It is created with mode 0700.
	// Other users must not be able to write to it.
	Dir string
	// UnsafeNoFsync leaves writing to disk to the operating system: what was acknowledged survives a crash of the
	// process, but not of the machine. For tests. Unset, every write is on disk before it is acknowledged.
	UnsafeNoFsync bool
	// QuotaBackendBytes is the size of the database above which etcd refuses all writes but deletes, until a start
	// defragments it to less, or has a larger quota. Unset means 8 GiB, the most that etcd recommends: a refused write stops every controller, and
	// address space costs nothing.
	QuotaBackendBytes int64
	// MaxRequestBytes limits one write. Unset means 1.5 MiB, as kube-apiserver and etcd assume.
	MaxRequestBytes uint
	// StartTimeout limits the time until the server is ready, replay of the log included. Unset means that only the
	// context of Start does: a database of several gigabytes on a slow disk takes minutes, and says so in the log.
	StartTimeout time.Duration
}

// withDefaults returns a copy with every unset field filled in, or an error that names the wrong field.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, fmt.Errorf("%w: Dir must be set", ErrConfig)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("%w: Dir %q: %w", ErrConfig, c.Dir, err)
	}
	c.Dir = dir
	if c.QuotaBackendBytes < 0 {
		return c, fmt.Errorf("%w: QuotaBackendBytes must not be negative", ErrConfig)
	}
	if c.QuotaBackendBytes == 0 {
		c.QuotaBackendBytes = defaultQuotaBytes
	}
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = defaultRequestBytes
	}
	if c.StartTimeout < 0 {
		return c, fmt.Errorf("%w: StartTimeout must not be negative", ErrConfig)
	}
	return c, nil
}

// embedConfig translates into etcd's own configuration. Compaction is left to the API server.
func (c Config) embedConfig(socket string, logger *zap.Logger) (*embed.Config, error) {
	peer, err := url.Parse(peerURL)
	if err != nil {
		return nil, fmt.Errorf("parse peer name: %w", err)
	}
	client := url.URL{Scheme: "unix", Path: socket}

	e := embed.NewConfig()
	e.Name = memberName
	e.Dir = c.Dir
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger)
	e.UnsafeNoFsync = c.UnsafeNoFsync
	e.QuotaBackendBytes = c.QuotaBackendBytes
	e.MaxRequestBytes = c.MaxRequestBytes

	// No peer listener: etcd would accept raft messages from anyone who can connect to it.
	e.ListenPeerUrls = nil
	e.AdvertisePeerUrls = []url.URL{*peer}
	e.ListenClientUrls = []url.URL{client}
	e.AdvertiseClientUrls = []url.URL{client}
	e.InitialCluster = e.InitialClusterFromName(memberName)
	e.EnableGRPCGateway = false

	e.TickMs = tickMillis
	e.ElectionMs = electionMillis
	e.SnapshotCount = snapshotEntries
	e.SnapshotCatchUpEntries = catchUpEntries
	e.MaxWalFiles = walFiles
	e.AutoCompactionRetention = "0"
	e.BootstrapDefragThresholdMegabytes = defragThresholdMegabytes
	e.WatchProgressNotifyInterval = progressNotifyInterval
	e.WarningApplyDuration = slowApply
	e.WarningUnaryRequestDuration = slowRequest
	return e, nil
}
