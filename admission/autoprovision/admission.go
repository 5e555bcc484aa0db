// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package autoprovision is the admission plugin NamespaceAutoProvision: the namespace of
// what is created is made if it is not there.
package autoprovision

import (
	"context"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/namespaces"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "NamespaceAutoProvision"

type plugin struct{ *namespaces.Plugin }

var _ admission.MutationInterface = plugin{}

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return plugin{namespaces.New(admission.Create)}, nil
	})
}

// Admit implements admission.MutationInterface. A dry run makes nothing, and is refused
// later.
func (p plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.IsDryRun() || !namespaces.Concerns(a) {
		return nil
	}
	if err := p.Wait(a); err != nil {
		return err
	}
	_, err := p.Get(ctx, a.GetNamespace())
	if apierrors.IsNotFound(err) {
		err = p.Create(ctx, a.GetNamespace())
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return admission.NewForbidden(a, err)
	}
	return nil
}
