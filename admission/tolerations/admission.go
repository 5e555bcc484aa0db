// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package tolerations is the admission plugin DefaultTolerationSeconds: a pod stays
// for a while on a node that is not ready or cannot be reached.
package tolerations

import (
	"context"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "DefaultTolerationSeconds"

// Seconds are how long a pod stays; kube-apiserver has flags for them.
type Seconds struct{ NotReady, Unreachable int64 }

// DefaultSeconds are those of kube-apiserver.
func DefaultSeconds() *Seconds { return &Seconds{NotReady: 300, Unreachable: 300} }

type plugin struct {
	*admission.Handler
	seconds *Seconds
}

var _ admission.MutationInterface = (*plugin)(nil)

// Register adds the plugin to those that can be enabled. seconds are read when the
// plugin is made, after the flags.
func Register(plugins *admission.Plugins, seconds *Seconds) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{admission.NewHandler(admission.Create, admission.Update), seconds}, nil
	})
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" {
		return nil
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("expected *core.Pod but got %T", a.GetObject()))
	}
	tolerate(pod, corev1.TaintNodeNotReady, p.seconds.NotReady)
	tolerate(pod, corev1.TaintNodeUnreachable, p.seconds.Unreachable)
	return nil
}

// tolerate adds a toleration unless the pod says itself what it tolerates.
func tolerate(pod *core.Pod, key string, seconds int64) {
	covered := func(t corev1.Toleration) bool {
		return (t.Key == key || t.Key == "") && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "")
	}
	if slices.ContainsFunc(pod.Spec.Tolerations, covered) {
		return
	}
	pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
		Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds,
	})
}
