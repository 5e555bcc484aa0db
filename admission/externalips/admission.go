// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package externalips is the admission plugin DenyServiceExternalIPs: services get no
// new external addresses, with which one could take over the traffic of others.
package externalips

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "DenyServiceExternalIPs"

type plugin struct{ *admission.Handler }

var _ admission.ValidationInterface = (*plugin)(nil)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{admission.NewHandler(admission.Create, admission.Update)}, nil
	})
}

// Validate implements admission.ValidationInterface.
func (*plugin) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != core.Resource("services") || a.GetSubresource() != "" {
		return nil
	}
	unexpected := func() error {
		return apierrors.NewInternalError(fmt.Errorf("Expected Service resource, got: %v", a.GetKind())) //nolint:staticcheck // as in Kubernetes
	}
	service, ok := a.GetObject().(*core.Service)
	if !ok {
		return unexpected()
	}
	var before []string
	if a.GetOldObject() != nil {
		old, ok := a.GetOldObject().(*core.Service)
		if !ok {
			return unexpected()
		}
		before = old.Spec.ExternalIPs
	}
	if slices.ContainsFunc(service.Spec.ExternalIPs, func(ip string) bool { return !slices.Contains(before, ip) }) {
		return admission.NewForbidden(a, errors.New("Use of external IPs is denied by admission control")) //nolint:staticcheck // as in Kubernetes
	}
	return nil
}
