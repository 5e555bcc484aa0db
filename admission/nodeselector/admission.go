// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package nodeselector is the admission plugin PodNodeSelector: pods run on the nodes
// that an annotation of their namespace selects.
package nodeselector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/namespaces"
	"github.com/stoa-project/stoa/admission/pluginconfig"
	"github.com/stoa-project/stoa/apis/core"
)

const (
	// PluginName is what --enable-admission-plugins calls it.
	PluginName = "PodNodeSelector"
	// Annotation on a namespace selects the nodes of its pods.
	Annotation = "scheduler.alpha.kubernetes.io/node-selector"

	section     = "podNodeSelectorPluginConfig"
	forAllOther = "clusterDefaultNodeSelector"
)

type plugin struct {
	*namespaces.Plugin
	// usual is for namespaces without the annotation.
	usual labels.Set
	// allowed is what pods of a namespace may select at most; none allows all.
	allowed map[string]labels.Set
}

var (
	_ admission.MutationInterface   = (*plugin)(nil)
	_ admission.ValidationInterface = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(config io.Reader) (admission.Interface, error) {
		selectors := map[string]string{}
		if err := pluginconfig.Section(config, section, &selectors); err != nil {
			return nil, err
		}
		p := &plugin{Plugin: namespaces.New(admission.Create), allowed: map[string]labels.Set{}}
		for _, name := range slices.Sorted(maps.Keys(selectors)) {
			selector, err := labels.ConvertSelectorToLabelsMap(selectors[name])
			if err != nil {
				return nil, fmt.Errorf("configuration: %s.%s: %w", section, name, err)
			}
			p.allowed[name] = selector
		}
		p.usual = p.allowed[forAllOther]
		return p, nil
	})
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	pod, selector, err := p.examine(ctx, a)
	if pod == nil || err != nil {
		return err
	}
	if len(selector) > 0 {
		pod.Spec.NodeSelector = labels.Merge(selector, pod.Spec.NodeSelector)
	}
	return p.check(a, pod)
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	pod, _, err := p.examine(ctx, a)
	if pod == nil || err != nil {
		return err
	}
	return p.check(a, pod)
}

// examine returns the pod of a request, if it writes one, and what selects the nodes of
// its namespace, which the pod must not contradict.
func (p *plugin) examine(ctx context.Context, a admission.Attributes) (*core.Pod, labels.Set, error) {
	pod, err := p.PodOf(a)
	if pod == nil || err != nil {
		return nil, nil, err
	}
	selector, err := p.selector(ctx, a.GetNamespace())
	if err != nil {
		return nil, nil, err
	}
	if labels.Conflicts(selector, pod.Spec.NodeSelector) {
		return nil, nil, refuse(a, pod, "pod node label selector conflicts with its namespace node label selector")
	}
	return pod, selector, nil
}

// selector returns what selects the nodes of a namespace.
func (p *plugin) selector(ctx context.Context, name string) (labels.Set, error) {
	namespace, err := p.Get(ctx, name)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("namespace %s does not exist", name))
	}
	text, ok := namespace.Annotations[Annotation]
	if !ok {
		return p.usual, nil
	}
	return labels.ConvertSelectorToLabelsMap(text)
}

// check refuses a pod that selects by what the configuration does not allow.
func (p *plugin) check(a admission.Attributes, pod *core.Pod) error {
	allowed := p.allowed[a.GetNamespace()]
	if len(allowed) == 0 {
		return nil
	}
	for key, value := range pod.Spec.NodeSelector {
		if is, ok := allowed[key]; !ok || is != value {
			return refuse(a, pod, "pod node label selector labels conflict with its namespace whitelist")
		}
	}
	return nil
}

func refuse(a admission.Attributes, pod *core.Pod, why string) error {
	return apierrors.NewForbidden(a.GetResource().GroupResource(), pod.Name, errors.New(why))
}
