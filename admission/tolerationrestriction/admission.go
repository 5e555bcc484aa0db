// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tolerationrestriction is the admission plugin PodTolerationRestriction: pods
// get the tolerations that an annotation of their namespace gives, and have no others
// than a second one allows.
package tolerationrestriction

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/namespaces"
	"github.com/stoa-project/stoa/admission/pluginconfig"
	"github.com/stoa-project/stoa/apis/core/qos"
)

const (
	// PluginName is what --enable-admission-plugins calls it.
	PluginName = "PodTolerationRestriction"
	// DefaultAnnotation on a namespace has the tolerations of its new pods, in JSON.
	DefaultAnnotation = "scheduler.alpha.kubernetes.io/defaultTolerations"
	// AllowedAnnotation on a namespace has those that its pods may have.
	AllowedAnnotation = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
)

type plugin struct {
	*namespaces.Plugin

	config *configuration
}

var (
	_ admission.MutationInterface   = (*plugin)(nil)
	_ admission.ValidationInterface = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(config io.Reader) (admission.Interface, error) {
		c := &configuration{}
		kind := schema.GroupVersionKind{Group: "podtolerationrestriction.admission.k8s.io", Version: "v1alpha1", Kind: "Configuration"}
		if err := pluginconfig.Decode(config, kind, c); err != nil {
			return nil, err
		}
		if err := c.validate(); err != nil {
			return nil, err
		}
		return &plugin{namespaces.New(admission.Create, admission.Update), c}, nil
	})
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	pod, err := p.PodOf(a)
	if pod == nil || err != nil {
		return err
	}
	var more []corev1.Toleration
	if a.GetOperation() == admission.Create {
		given, err := p.annotated(ctx, a.GetNamespace(), DefaultAnnotation, p.config.Default)
		if err != nil {
			return err
		}
		more = slices.Clone(given)
	}
	if qos.Of((*corev1.Pod)(pod)) != corev1.PodQOSBestEffort {
		more = append(more, corev1.Toleration{
			Key: corev1.TaintNodeMemoryPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule,
		})
	}
	if len(more) > 0 {
		pod.Spec.Tolerations = merge(slices.Concat(pod.Spec.Tolerations, more))
	}
	return p.Validate(ctx, a, o)
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	pod, err := p.PodOf(a)
	if pod == nil || err != nil || len(pod.Spec.Tolerations) == 0 {
		return err
	}
	allowed, err := p.annotated(ctx, a.GetNamespace(), AllowedAnnotation, p.config.Whitelist)
	if err != nil {
		return err
	}
	if len(allowed) == 0 {
		return nil
	}
	for _, toleration := range pod.Spec.Tolerations {
		if !slices.ContainsFunc(allowed, func(one corev1.Toleration) bool { return covers(one, toleration) }) {
			// As in Kubernetes, where this is an internal error.
			return errors.New("pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist")
		}
	}
	return nil
}

// annotated returns the tolerations in an annotation of a namespace, or the usual ones
// if it is not there. An annotation that is empty has none.
func (p *plugin) annotated(ctx context.Context, name, key string, usual []corev1.Toleration) ([]corev1.Toleration, error) {
	namespace, err := p.Get(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, err
	case err != nil:
		return nil, apierrors.NewInternalError(err)
	}
	text, ok := namespace.Annotations[key]
	if !ok {
		return usual, nil
	}
	if text == "" {
		return nil, nil
	}
	var tolerations []corev1.Toleration
	if err := json.Unmarshal([]byte(text), &tolerations); err != nil {
		return nil, err
	}
	return tolerations, nil
}
