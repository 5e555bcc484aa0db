// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig/metrics"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/userfile"
	"github.com/stoa-project/stoa/reload"
)

// encryption is what the file of --encryption-provider-config says.
type encryption struct {
	file string
	// server is the ID of the server in metrics.
	server string
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
	content, err := userfile.Read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", flagEncryption, err)
	}
	keys, err := checkEncryption(file, content, follow)
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
		file: file, server: config.APIServerID,
		inUse: encryptionconfig.NewDynamicTransformers(loaded.Transformers, loaded.HealthChecks[0], stopFirst, loaded.KMSCloseGracePeriod),
	}
	config.ResourceTransformers = e.inUse
	addHealthChecksWithoutLivez(config, []healthz.HealthChecker{e.inUse})
	return config.AddPostStartHook("start-encryption-provider-config-automatic-reload", func(hook genericapiserver.PostStartHookContext) error {
		go e.follow(hook, lifetime, reload.Sum(content))
		return nil
	})
}

// addHealthChecksWithoutLivez adds checks that a restart does not mend.
func addHealthChecksWithoutLivez(config *genericapiserver.Config, checks []healthz.HealthChecker) {
	config.HealthzChecks = append(config.HealthzChecks, checks...)
	config.ReadyzChecks = append(config.ReadyzChecks, checks...)
}

// follow uses what the file says when it has changed, until ctx ends. lifetime is that of
// the stores.
func (e *encryption) follow(ctx, lifetime context.Context, used reload.Digest) {
	file := e.source()
	file.Use = func(ctx context.Context, content []byte) error { return e.use(ctx, lifetime, content) }
	file.Done = func(content []byte, err error) {
		if err != nil {
			metrics.RecordEncryptionConfigAutomaticReloadFailure(e.server)
			return
		}
		metrics.RecordEncryptionConfigAutomaticReloadSuccess(e.server, hashOf(content))
	}
	file.Follow(ctx, used)
}

// source is how the file is read.
func (e *encryption) source() reload.File {
	return reload.File{Flag: flagEncryption, Path: e.file, Read: userfile.Read}
}

// hashOf is how metrics name a content.
func hashOf(content []byte) string { return fmt.Sprintf("sha256:%x", reload.Sum(content)) }

// use takes a content once its plugins are well, unless it has changed before.
func (e *encryption) use(ctx, lifetime context.Context, content []byte) error {
	if _, err := checkEncryption(e.file, content, true); err != nil {
		return err
	}
	loading, stop := context.WithCancel(lifetime)
	loaded, err := encryptionconfig.LoadEncryptionConfig(loading, e.file, true, e.server)
	switch {
	case err != nil:
	case loaded.EncryptionFileContentHash != hashOf(content): // it is read once more by upstream
		err = reload.ErrChanged
	default:
		err = e.awaitPlugins(ctx, content, loaded)
	}
	if err != nil {
		stop()
		if errors.Is(err, reload.ErrChanged) {
			return reload.ErrChanged
		}
		return encryptionError(e.file, err)
	}
	e.inUse.Set(loaded.Transformers, stop, loaded.HealthChecks[0], loaded.KMSCloseGracePeriod)
	return nil
}

// awaitPlugins returns when the plugins are well, or with what is wrong with them when
// nobody wants them any more.
func (e *encryption) awaitPlugins(ctx context.Context, content []byte, loaded *encryptionconfig.EncryptionConfiguration) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/healthz/kms-providers", http.NoBody)
	if err != nil {
		return err
	}
	reported := false
	return e.source().Await(ctx, content, func() error {
		problem := loaded.HealthChecks[0].Check(request)
		if problem != nil && !reported {
			reported = true
			klog.FromContext(ctx).Error(problem, "Encryption waits for the plugins of the changed file", "flag", flagEncryption, "file", e.file)
			metrics.RecordEncryptionConfigAutomaticReloadFailure(e.server)
		}
		return problem
	})
}
