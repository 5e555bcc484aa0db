// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig/metrics"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/userfile"
)

const (
	// encryptionInterval is how often the file of --encryption-provider-config is looked
	// at, if it is followed.
	encryptionInterval = time.Second
	// encryptionPatience is how long the plugins of a changed file have at least to say
	// that they are well.
	encryptionPatience = 10 * time.Second
)

// encryption is what the file of --encryption-provider-config says.
type encryption struct {
	file string
	// server is the ID of the server in metrics.
	server string
	// hash is that of the content that is in use.
	hash string
	// inUse is nil unless the file is followed.
	inUse *encryptionconfig.DynamicTransformers
}

// encrypt has objects encrypted before they are stored, as the file of
// --encryption-provider-config says. Without the file it does nothing.
func (s *Server) encrypt(ctx context.Context, o *EtcdOptions, config *genericapiserver.Config) error {
	file, follow := o.EncryptionProviderConfigFilepath, o.EncryptionProviderConfigAutomaticReload
	if file == "" {
		return nil
	}
	keys, err := checkEncryption(file, follow)
	if err != nil {
		return err
	}
	if mode, exposed := userfile.Exposed(file); exposed && keys {
		klog.FromContext(ctx).Info("The keys of --encryption-provider-config can be read by others than the owner of the file", "file", file, "mode", mode)
	}
	// Requests that end while the server stops still need the plugins.
	lifetime, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.closers = append(s.closers, stop)
	loading, stopFirst := context.WithCancel(lifetime) // what a changed file replaces
	loaded, err := encryptionconfig.LoadEncryptionConfig(loading, file, follow, config.APIServerID)
	if err != nil {
		stopFirst()
		return encryptionError(file, err)
	}
	metrics.RecordEncryptionConfigLastConfigInfo(config.APIServerID, loaded.EncryptionFileContentHash)
	if !follow {
		s.closers = append(s.closers, stopFirst)
		config.ResourceTransformers = encryptionconfig.StaticTransformers(loaded.Transformers)
		addHealthChecksWithoutLivez(config, loaded.HealthChecks)
		return nil
	}
	e := &encryption{
		file: file, server: config.APIServerID, hash: loaded.EncryptionFileContentHash,
		inUse: encryptionconfig.NewDynamicTransformers(loaded.Transformers, loaded.HealthChecks[0], stopFirst, loaded.KMSCloseGracePeriod),
	}
	config.ResourceTransformers = e.inUse
	addHealthChecksWithoutLivez(config, []healthz.HealthChecker{e.inUse})
	return config.AddPostStartHook("start-encryption-provider-config-automatic-reload", func(hook genericapiserver.PostStartHookContext) error {
		go e.follow(hook, lifetime)
		return nil
	})
}

// addHealthChecksWithoutLivez adds checks that a restart does not mend.
func addHealthChecksWithoutLivez(config *genericapiserver.Config, checks []healthz.HealthChecker) {
	config.HealthzChecks = append(config.HealthzChecks, checks...)
	config.ReadyzChecks = append(config.ReadyzChecks, checks...)
}

// follow uses what the file says when it has changed, until ctx ends. A file that cannot
// be read or has a mistake, and one whose plugins are not well, is reported once and
// changes nothing; plugins are asked again. lifetime is that of the stores.
func (e *encryption) follow(ctx, lifetime context.Context) {
	logger := klog.FromContext(ctx)
	ticker := time.NewTicker(encryptionInterval)
	defer ticker.Stop()
	seen, reported := e.hash, ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		hash, err := encryptionconfig.GetEncryptionConfigHash(e.file)
		problem := hash
		if err != nil {
			problem = err.Error()
		} else {
			// What changes from one look to the next is still being written.
			settled := hash == seen
			seen = hash
			if hash == e.hash || !settled {
				continue
			}
			err = e.reload(ctx, lifetime)
		}
		if err != nil {
			metrics.RecordEncryptionConfigAutomaticReloadFailure(e.server)
			if problem != reported {
				reported = problem
				logger.Error(err, "Encryption stays as it is", "file", e.file)
			}
			continue
		}
		reported = ""
		metrics.RecordEncryptionConfigAutomaticReloadSuccess(e.server, e.hash)
		logger.Info("Encryption follows the changed file", "file", e.file)
	}
}

// reload uses the file if its plugins are well.
func (e *encryption) reload(ctx, lifetime context.Context) error {
	if _, err := checkEncryption(e.file, true); err != nil {
		return err
	}
	loading, stop := context.WithCancel(lifetime)
	loaded, err := encryptionconfig.LoadEncryptionConfig(loading, e.file, true, e.server)
	if err == nil {
		err = healthy(ctx, loaded)
	}
	if err != nil {
		stop()
		return encryptionError(e.file, err)
	}
	e.hash = loaded.EncryptionFileContentHash
	e.inUse.Set(loaded.Transformers, stop, loaded.HealthChecks[0], loaded.KMSCloseGracePeriod)
	return nil
}

// healthy says what is wrong with the plugins of a file.
func healthy(ctx context.Context, loaded *encryptionconfig.EncryptionConfiguration) error {
	ctx, cancel := context.WithTimeout(ctx, max(loaded.KMSCloseGracePeriod, encryptionPatience))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/healthz/kms-providers", http.NoBody)
	if err != nil {
		return err
	}
	var errs []error
	for _, check := range loaded.HealthChecks {
		errs = append(errs, check.Check(request))
	}
	return errors.Join(errs...)
}
