// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package oidc

import (
	"context"
	"reflect"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/server/options/authenticationconfig/metrics"

	"github.com/stoa-project/stoa/reload"
)

// File is a configuration that was read from a file.
type File struct {
	// Path is where the file is.
	Path string
	// Data is what was in it.
	Data []byte
	// Configuration is what that meant.
	Configuration *apiserver.AuthenticationConfiguration
}

// readyWithin is how long a changed file has until the keys of all its issuers are there.
// After that the change is reported as a failure; they are believed when they come.
const readyWithin = time.Minute

// Follow believes the issuers of a file, and those that it has when it changes, until
// ctx ends. A file with a mistake, or one that changes who is anonymous, changes nothing,
// and is told in the log and in metrics. flag names the file.
func (i *Issuers) Follow(ctx context.Context, flag string, f File) error {
	if err := i.Use(ctx, f.Configuration); err != nil {
		return err
	}
	metrics.RegisterMetrics()
	metrics.RecordAuthenticationConfigLastConfigInfo(i.settings.Server, string(f.Data))
	file := reload.File{Flag: flag, Path: f.Path}
	file.Use = func(ctx context.Context, content []byte) error {
		if err := i.reload(ctx, content, f.Configuration.Anonymous); err != nil {
			return err
		}
		waiting, stop := context.WithTimeout(ctx, readyWithin)
		defer stop()
		return file.Await(waiting, content, i.ready)
	}
	file.Done = func(content []byte, err error) {
		if err != nil {
			metrics.RecordAuthenticationConfigAutomaticReloadFailure(i.settings.Server)
			return
		}
		metrics.RecordAuthenticationConfigAutomaticReloadSuccess(i.settings.Server, string(content))
	}
	go file.Follow(ctx, reload.Sum(f.Data))
	return nil
}

func (i *Issuers) reload(ctx context.Context, data []byte, anonymous *apiserver.AnonymousAuthConfig) error {
	c, err := Parse(data, i.settings.Disallowed)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(anonymous, c.Anonymous) {
		return utilerrors.NewAggregate([]error{field.Forbidden(field.NewPath("anonymous"), "changed from initial configuration file")})
	}
	return i.Use(ctx, c)
}
