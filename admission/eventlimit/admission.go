// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package eventlimit is the admission plugin EventRateLimit: it refuses events that come
// faster than a configuration allows.
package eventlimit

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/pluginconfig"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "EventRateLimit"

type plugin struct {
	*admission.Handler

	limiters []*limiter
}

var _ admission.ValidationInterface = (*plugin)(nil)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(config io.Reader) (admission.Interface, error) {
		c := &configuration{}
		kind := schema.GroupVersionKind{Group: "eventratelimit.admission.k8s.io", Version: "v1alpha1", Kind: "Configuration"}
		if err := pluginconfig.Decode(config, kind, c); err != nil {
			return nil, err
		}
		if errs := c.validate(); len(errs) > 0 {
			return nil, errs.ToAggregate()
		}
		p := &plugin{Handler: admission.NewHandler(admission.Create, admission.Update)}
		for _, l := range c.Limits {
			p.limiters = append(p.limiters, newLimiter(l))
		}
		return p, nil
	})
}

// Validate implements admission.ValidationInterface. As in Kubernetes, events of the
// group events.k8s.io are not limited.
func (p *plugin) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetKind().GroupKind() != corev1.SchemeGroupVersion.WithKind("Event").GroupKind() || a.IsDryRun() {
		return nil
	}
	var errs []error
	for _, l := range p.limiters { // all of them count a request, though one of them refuses it
		if err := l.take(a); err != nil {
			errs = append(errs, err)
		}
	}
	if err := utilerrors.NewAggregate(errs); err != nil {
		return apierrors.NewTooManyRequestsError(err.Error())
	}
	return nil
}
