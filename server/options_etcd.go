// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"github.com/stoa-project/stoa/authn/userfile"
)

const (
	// storagePrefix is upstream's, so that data can move in and out.
	storagePrefix = "/registry"
	// defaultPatience is how long a start waits for an external etcd.
	defaultPatience = time.Minute
)

// EtcdOptions say where objects are stored: in the embedded etcd below the data
// folder, or in the clusters of --etcd-servers and --etcd-servers-overrides.
type EtcdOptions struct {
	*genericoptions.EtcdOptions
	// EventTTL is how long events are kept.
	EventTTL time.Duration
	// StartTimeout is how long a start waits for etcd to be ready.
	StartTimeout time.Duration
	// UnsafeNoFsync leaves the embedded etcd's writes to the operating system. For
	// tests: a crash of the machine can lose what was acknowledged.
	UnsafeNoFsync bool
	// QuotaBackendBytes limits the embedded database. Zero: the default of package etcd.
	QuotaBackendBytes int64
}

func newEtcdOptions() *EtcdOptions {
	o := genericoptions.NewEtcdOptions(storagebackend.NewDefaultConfig(storagePrefix, nil))
	o.DefaultStorageMediaType = "application/vnd.kubernetes.protobuf"
	return &EtcdOptions{EtcdOptions: o, EventTTL: time.Hour, StartTimeout: defaultPatience}
}

func (o *EtcdOptions) addEmbeddedFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.UnsafeNoFsync, "unsafe-no-fsync", o.UnsafeNoFsync, "Do not wait for the disk on writes to the embedded etcd. A crash of the machine can then lose acknowledged writes. For tests only.")
	fs.Int64Var(&o.QuotaBackendBytes, "quota-backend-bytes", o.QuotaBackendBytes, "Size of the embedded etcd's database above which writes are refused. 0 means 8 GiB.")
}

// AddFlags adds upstream's flags. Without --etcd-servers the embedded etcd is used.
func (o *EtcdOptions) AddFlags(fs *pflag.FlagSet) {
	o.EtcdOptions.AddFlags(fs)
	fs.DurationVar(&o.EventTTL, "event-ttl", o.EventTTL, "Amount of time to retain events.")
	fs.DurationVar(&o.StartTimeout, "etcd-start-timeout", o.StartTimeout, "How long to wait at start for etcd to be ready.")
	fs.Lookup("etcd-servers").Usage = "List of etcd servers to connect with (scheme://ip:port), comma separated. If empty, an embedded etcd runs in --data-dir."
}

// Validate reports everything that is wrong with the options.
func (o *EtcdOptions) Validate() []error {
	var errs []error
	embedded := len(o.StorageConfig.Transport.ServerList) == 0
	check := *o.EtcdOptions
	if embedded {
		check.StorageConfig.Transport.ServerList = []string{"unix://embedded"} // upstream insists on one
		if o.StorageConfig.Transport.CertFile != "" || o.StorageConfig.Transport.KeyFile != "" || o.StorageConfig.Transport.TrustedCAFile != "" {
			errs = append(errs, fmt.Errorf("--etcd-certfile, --etcd-keyfile and --etcd-cafile must not be set without --etcd-servers"))
		}
	}
	for _, server := range o.StorageConfig.Transport.ServerList {
		switch u, err := url.Parse(server); {
		case err != nil || u.Scheme == "" || u.Host+u.Path == "":
			errs = append(errs, errors.New("--etcd-servers: each must be a URL such as https://10.0.0.1:2379"))
		case u.User != nil: // and is not repeated in a message
			errs = append(errs, errors.New("--etcd-servers: must not contain a user or password, use --etcd-certfile and --etcd-keyfile"))
		}
	}
	errs = append(errs, check.Validate()...)
	if file := o.EncryptionProviderConfigFilepath; file != "" {
		content, err := userfile.Read(file)
		if err != nil {
			err = fmt.Errorf("%s: %w", flagEncryption, err)
		} else {
			_, err = checkEncryption(file, content, o.EncryptionProviderConfigAutomaticReload)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if o.StartTimeout <= 0 {
		errs = append(errs, fmt.Errorf("--etcd-start-timeout must be positive"))
	}
	for name, value := range map[string]time.Duration{
		"etcd-compaction-interval": o.StorageConfig.CompactionInterval, "etcd-count-metric-poll-period": o.StorageConfig.CountMetricPollPeriod,
		"etcd-db-metric-poll-interval": o.StorageConfig.DBMetricPollInterval, "lease-reuse-duration-seconds": time.Duration(o.StorageConfig.LeaseManagerConfig.ReuseDurationSeconds),
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("--%s must not be negative", name))
		}
	}
	if o.DeleteCollectionWorkers < 1 {
		errs = append(errs, errors.New("--delete-collection-workers must be at least 1"))
	}
	if o.EventTTL < time.Second {
		errs = append(errs, errors.New("--event-ttl must be at least 1s"))
	}
	if o.QuotaBackendBytes < 0 {
		errs = append(errs, fmt.Errorf("--quota-backend-bytes must not be negative"))
	}
	if _, err := genericoptions.ParseWatchCacheSizes(o.WatchCacheSizes); err != nil {
		errs = append(errs, fmt.Errorf("--watch-cache-sizes: %w", err))
	}
	return errs
}

// uncached says which resources have no watch cache.
func (o *EtcdOptions) uncached() (func(schema.GroupResource) bool, error) {
	sizes, err := genericoptions.ParseWatchCacheSizes(o.WatchCacheSizes)
	if err != nil {
		return nil, fmt.Errorf("--watch-cache-sizes: %w", err)
	}
	return func(gr schema.GroupResource) bool {
		size, set := sizes[gr]
		return !o.EnableWatchCache || set && size <= 0
	}, nil
}
