// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package storageclass is the admission plugin DefaultStorageClass: a claim that says
// nothing of its class gets the default one.
package storageclass

import (
	"io"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-helpers/storage/volume"

	"github.com/stoa-project/stoa/admission/defaultclass"
	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "DefaultStorageClass"

// What marks the default class, and its older name.
const (
	mark     = "storageclass.kubernetes.io/is-default-class"
	betaMark = "storageclass.beta.kubernetes.io/is-default-class"
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &defaultclass.Plugin[*storagev1.StorageClass]{
			Handler: admission.NewHandler(admission.Create),
			Informer: func(factory informers.SharedInformerFactory) cache.SharedIndexInformer {
				return factory.Storage().V1().StorageClasses().Informer()
			},
			Lacks: lacks,
			Marked: func(class *storagev1.StorageClass) bool {
				return class.Annotations[mark] == "true" || class.Annotations[betaMark] == "true"
			},
		}, nil
	})
}

// lacks returns what sets the class of a new claim that has none.
func lacks(a admission.Attributes) (func(class string), error) {
	if a.GetResource().GroupResource() != core.Resource("persistentvolumeclaims") || a.GetSubresource() != "" {
		return nil, nil
	}
	claim, ok := a.GetObject().(*core.PersistentVolumeClaim)
	if !ok || volume.PersistentVolumeClaimHasClass((*corev1.PersistentVolumeClaim)(claim)) {
		return nil, nil
	}
	return func(class string) { claim.Spec.StorageClassName = &class }, nil
}
