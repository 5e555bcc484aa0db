// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package namespaceexists is the admission plugin NamespaceExists: nothing is written in a
// namespace that is not there. NamespaceLifecycle says so of what is created; this plugin
// says it of changes and deletions too.
package namespaceexists

import (
	"context"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/namespaces"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "NamespaceExists"

type plugin struct{ *namespaces.Plugin }

var _ admission.ValidationInterface = plugin{}

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return plugin{namespaces.New(admission.Create, admission.Update, admission.Delete)}, nil
	})
}

// Validate implements admission.ValidationInterface.
func (p plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if !namespaces.Concerns(a) {
		return nil
	}
	if err := p.Wait(a); err != nil {
		return err
	}
	_, err := p.Get(ctx, a.GetNamespace())
	if err == nil || apierrors.IsNotFound(err) {
		return err
	}
	return apierrors.NewInternalError(err)
}
