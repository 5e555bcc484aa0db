// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package storageclass is the admission plugin DefaultStorageClass: a claim that says
// nothing of its class gets the default one.
package storageclass

import (
	"context"
	"errors"
	"io"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/component-helpers/storage/volume"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "DefaultStorageClass"

// What marks the default class, and its older name.
const (
	mark     = "storageclass.kubernetes.io/is-default-class"
	betaMark = "storageclass.beta.kubernetes.io/is-default-class"
)

type plugin struct {
	*admission.Handler
	classes storagelisters.StorageClassLister
}

var (
	_ admission.MutationInterface                                  = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create)}, nil
	})
}

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := factory.Storage().V1().StorageClasses()
	p.classes = informer.Lister()
	p.SetReadyFunc(informer.Informer().HasSynced)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.classes == nil {
		return errors.New("missing lister")
	}
	return nil
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != core.Resource("persistentvolumeclaims") || a.GetSubresource() != "" {
		return nil
	}
	claim, ok := a.GetObject().(*core.PersistentVolumeClaim)
	if !ok || volume.PersistentVolumeClaimHasClass((*corev1.PersistentVolumeClaim)(claim)) {
		return nil
	}
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	all, err := p.classes.List(labels.Everything())
	if err != nil {
		return admission.NewForbidden(a, err)
	}
	if class := newestDefault(all); class != nil {
		claim.Spec.StorageClassName = &class.Name
	}
	return nil
}

// newestDefault returns the newest of the default classes, so that one can be replaced
// without a time in which there is none; nil if there is none.
func newestDefault(all []*storagev1.StorageClass) *storagev1.StorageClass {
	var out *storagev1.StorageClass
	for _, class := range all {
		if class.Annotations[mark] != "true" && class.Annotations[betaMark] != "true" {
			continue
		}
		if out == nil || out.CreationTimestamp.Before(&class.CreationTimestamp) ||
			out.CreationTimestamp.Equal(&class.CreationTimestamp) && class.Name < out.Name {
			out = class
		}
	}
	return out
}
