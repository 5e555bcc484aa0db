// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package execdenial is the admission plugin DenyEscalatingExec, which kube-apiserver had
// until 1.20: nobody gets a shell in a pod that has the rights of its node.
package execdenial

import (
	"context"
	"errors"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "DenyEscalatingExec"

type plugin struct {
	*admission.Handler

	client kubernetes.Interface
}

var (
	_ admission.ValidationInterface                          = (*plugin)(nil)
	_ admission.InitializationValidator                      = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Connect)}, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet. Pods are asked for when
// somebody connects, which is not worth an informer with all pods.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) { p.client = client }

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.client == nil {
		return errors.New("missing client")
	}
	return nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	shell := a.GetSubresource() == "exec" || a.GetSubresource() == "attach"
	if a.GetResource().GroupResource() != core.Resource("pods") || !shell {
		return nil
	}
	pod, err := p.client.CoreV1().Pods(a.GetNamespace()).Get(ctx, a.GetName(), metav1.GetOptions{})
	if err != nil {
		return admission.NewForbidden(a, err)
	}
	if what := escalates(&pod.Spec); what != "" {
		return admission.NewForbidden(a, errors.New("cannot exec into or attach to a "+what))
	}
	return nil
}

// escalates says what gives a pod the rights of its node, if anything does.
func escalates(spec *corev1.PodSpec) string {
	switch {
	case spec.HostNetwork:
		return "container using host network"
	case spec.HostPID:
		return "container using host pid"
	case spec.HostIPC:
		return "container using host ipc"
	}
	privileged := func(context *corev1.SecurityContext) bool {
		return context != nil && context.Privileged != nil && *context.Privileged
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			if privileged(list[i].SecurityContext) {
				return "privileged container"
			}
		}
	}
	for i := range spec.EphemeralContainers {
		if privileged(spec.EphemeralContainers[i].SecurityContext) {
			return "privileged container"
		}
	}
	return ""
}
