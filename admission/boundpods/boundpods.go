// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package boundpods is what the admission plugins have in common that ask whether the node
// of a pod can do what the pod asks for from now on.
package boundpods

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/core"
)

// Plugin is a plugin that sees updates of pods.
type Plugin struct {
	*admission.Handler

	client kubernetes.Interface
}

var (
	_ admission.InitializationValidator                      = (*Plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet = (*Plugin)(nil)
)

// New returns a plugin.
func New() *Plugin { return &Plugin{Handler: admission.NewHandler(admission.Update)} }

// SetExternalKubeClientSet implements WantsExternalKubeClientSet. A node is asked for when
// one of its pods changes, which is not worth an informer with all nodes.
func (p *Plugin) SetExternalKubeClientSet(client kubernetes.Interface) { p.client = client }

// ValidateInitialization implements admission.InitializationValidator.
func (p *Plugin) ValidateInitialization() error {
	if p.client == nil {
		return errors.New("missing client")
	}
	return nil
}

// Changed returns a pod that is on a node, and what it was, if a request changes its spec;
// or else nil.
func Changed(a admission.Attributes) (pod, old *core.Pod, err error) {
	if a.GetResource().GroupResource() != core.Resource("pods") {
		return nil, nil, nil
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("expected a pod but got a %T", a.GetObject()))
	}
	if pod.Spec.NodeName == "" {
		return nil, nil, nil
	}
	old, ok = a.GetOldObject().(*core.Pod)
	if !ok {
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("expected an old pod but got a %T", a.GetOldObject()))
	}
	if pod.Generation == old.Generation { // it counts changes of the spec
		return nil, nil, nil
	}
	return pod, old, nil
}

// Node returns the node of a pod that a request changes.
func (p *Plugin) Node(ctx context.Context, a admission.Attributes, name string) (*corev1.Node, error) {
	node, err := p.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{ResourceVersion: "0"})
	switch {
	case apierrors.IsNotFound(err):
		return nil, admission.NewForbidden(a, fmt.Errorf("node %q not found", name))
	case err != nil:
		return nil, admission.NewForbidden(a, fmt.Errorf("failed to get node %q: %w", name, err))
	}
	return node, nil
}
