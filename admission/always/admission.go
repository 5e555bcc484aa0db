// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package always is the admission plugins AlwaysAdmit and AlwaysDeny, which do what
// they are called. They are there because Kubernetes has them.
package always

import (
	"context"
	"errors"
	"io"

	"k8s.io/apiserver/pkg/admission"
)

// What --enable-admission-plugins calls them.
const (
	AdmitName = "AlwaysAdmit"
	DenyName  = "AlwaysDeny"
)

// plugin answers all requests with the same.
type plugin struct{ denies bool }

var (
	_ admission.MutationInterface   = plugin{}
	_ admission.ValidationInterface = plugin{}
)

// RegisterAdmit adds AlwaysAdmit to the plugins that can be enabled.
func RegisterAdmit(plugins *admission.Plugins) {
	plugins.Register(AdmitName, func(io.Reader) (admission.Interface, error) { return plugin{}, nil })
}

// RegisterDeny adds AlwaysDeny to the plugins that can be enabled.
func RegisterDeny(plugins *admission.Plugins) {
	plugins.Register(DenyName, func(io.Reader) (admission.Interface, error) { return plugin{denies: true}, nil })
}

// Handles implements admission.Interface.
func (plugin) Handles(admission.Operation) bool { return true }

// Admit implements admission.MutationInterface.
func (p plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	return p.answer(a)
}

// Validate implements admission.ValidationInterface.
func (p plugin) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	return p.answer(a)
}

func (p plugin) answer(a admission.Attributes) error {
	if p.denies {
		return admission.NewForbidden(a, errors.New("admission control is denying all modifications"))
	}
	return nil
}
