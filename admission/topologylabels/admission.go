// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package topologylabels is the admission plugin PodTopologyLabels: a pod gets the labels
// of its node that say in which zone and region it is.
package topologylabels

import (
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/featuregate"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/features"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "PodTopologyLabels"

type plugin struct {
	*admission.Handler

	client             kubernetes.Interface
	inspected, enabled bool
}

var (
	_ admission.MutationInterface                            = (*plugin)(nil)
	_ admission.InitializationValidator                      = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet = (*plugin)(nil)
	_ genericadmissioninitializer.WantsFeatures              = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create)}, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet. A node is asked for when
// a pod gets there, which is not worth an informer with all nodes.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) { p.client = client }

// InspectFeatureGates implements WantsFeatures.
func (p *plugin) InspectFeatureGates(gates featuregate.FeatureGate) {
	p.enabled, p.inspected = gates.Enabled(features.PodTopologyLabelsAdmission), true
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.client == nil || !p.inspected {
		return errors.New(PluginName + " plugin needs a client and feature gates")
	}
	return nil
}

// Admit implements admission.MutationInterface. The labels of a binding become those of
// its pod.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if !p.enabled || a.GetResource().GroupResource() != core.Resource("pods") {
		return nil
	}
	switch a.GetSubresource() {
	case "":
		pod, ok := a.GetObject().(*core.Pod)
		if !ok {
			return fmt.Errorf("expected Pod but got %T", a.GetObject())
		}
		return p.label(ctx, &pod.ObjectMeta, pod.Spec.NodeName)
	case "binding":
		binding, ok := a.GetObject().(*core.Binding)
		if !ok {
			return fmt.Errorf("expected Binding but got %s", a.GetKind().Kind)
		}
		if binding.Target.Kind == "Node" {
			return p.label(ctx, &binding.ObjectMeta, binding.Target.Name)
		}
	}
	return nil
}

// label adds the labels of a node, in place of those that were there.
func (p *plugin) label(ctx context.Context, to *metav1.ObjectMeta, nodeName string) error {
	if nodeName == "" {
		return nil
	}
	node, err := p.client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{ResourceVersion: "0"})
	switch {
	case apierrors.IsNotFound(err):
		return nil // it may come later
	case err != nil:
		return err
	}
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion} {
		value, there := node.Labels[key]
		if !there {
			continue
		}
		if to.Labels == nil {
			to.Labels = map[string]string{}
		}
		to.Labels[key] = value
	}
	return nil
}
