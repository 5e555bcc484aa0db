// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package namespaces is what the admission plugins have in common that read the namespace
// of a request.
package namespaces

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/stoa-project/stoa/apis/core"
)

// Plugin is a plugin that reads namespaces.
type Plugin struct {
	*admission.Handler

	client kubernetes.Interface
	lister corelisters.NamespaceLister
}

var (
	_ admission.InitializationValidator                            = (*Plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet       = (*Plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*Plugin)(nil)
)

// New returns a plugin that sees the operations.
func New(operations ...admission.Operation) *Plugin {
	return &Plugin{Handler: admission.NewHandler(operations...)}
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet.
func (p *Plugin) SetExternalKubeClientSet(client kubernetes.Interface) { p.client = client }

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *Plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := factory.Core().V1().Namespaces()
	p.lister = informer.Lister()
	p.SetReadyFunc(informer.Informer().HasSynced)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *Plugin) ValidateInitialization() error {
	if p.lister == nil {
		return errors.New("missing namespaceLister")
	}
	if p.client == nil {
		return errors.New("missing client")
	}
	return nil
}

// PodOf returns the pod that a request writes, not one of its subresources, or nil. It
// waits until namespaces are known.
func (p *Plugin) PodOf(a admission.Attributes) (*core.Pod, error) {
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" {
		return nil, nil
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return nil, nil
	}
	return pod, p.Wait(a)
}

// Concerns says whether a request is about something in a namespace, and not about the
// namespace itself.
func Concerns(a admission.Attributes) bool {
	return a.GetNamespace() != "" && a.GetKind().GroupKind() != corev1.SchemeGroupVersion.WithKind("Namespace").GroupKind()
}

// Wait waits until namespaces are known.
func (p *Plugin) Wait(a admission.Attributes) error {
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	return nil
}

// Get returns a namespace.
func (p *Plugin) Get(ctx context.Context, name string) (*corev1.Namespace, error) {
	return Get(ctx, p.lister, p.client, name)
}

// Get returns a namespace. One that the informer does not know is new or gone, and is
// asked for.
func Get(ctx context.Context, lister corelisters.NamespaceLister, client kubernetes.Interface, name string) (*corev1.Namespace, error) {
	namespace, err := lister.Get(name)
	if apierrors.IsNotFound(err) {
		return client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	}
	return namespace, err
}

// Create makes a namespace.
func (p *Plugin) Create(ctx context.Context, name string) error {
	_, err := p.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}
