// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package extendedresource is the admission plugin ExtendedResourceToleration: a pod
// that asks for devices tolerates the taint of the nodes that are kept for them.
package extendedresource

import (
	"context"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "ExtendedResourceToleration"

type plugin struct{ *admission.Handler }

var _ admission.MutationInterface = (*plugin)(nil)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{admission.NewHandler(admission.Create, admission.Update)}, nil
	})
}

// Admit implements admission.MutationInterface.
func (*plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" {
		return nil
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("expected *core.Pod but got %T", a.GetObject()))
	}
	names := sets.New[string]()
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			for name := range list[i].Resources.Requests {
				if validation.IsExtendedResource(name) {
					names.Insert(string(name))
				}
			}
		}
	}
	for _, name := range sets.List(names) {
		tolerate(pod, corev1.Toleration{Key: name, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
	}
	return nil
}

// tolerate adds a toleration, or takes the place of one for the same taint.
func tolerate(pod *core.Pod, toleration corev1.Toleration) {
	i := slices.IndexFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool { return toleration.MatchToleration(&t) })
	if i < 0 {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, toleration)
		return
	}
	pod.Spec.Tolerations[i] = toleration
}
