// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package inuse is the admission plugin StorageObjectInUseProtection: volumes,
// claims and volume attribute classes get a finalizer, so that a delete waits
// until nobody uses them. Who takes it away is a controller.
package inuse

import (
	"context"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/storage"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "StorageObjectInUseProtection"

type plugin struct {
	*admission.Handler
	finalizers map[schema.GroupResource]string
}

var _ admission.MutationInterface = (*plugin)(nil)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{admission.NewHandler(admission.Create), map[schema.GroupResource]string{
			core.Resource("persistentvolumes"):          "kubernetes.io/pv-protection",
			core.Resource("persistentvolumeclaims"):     "kubernetes.io/pvc-protection",
			storage.Resource("volumeattributesclasses"): "kubernetes.io/vac-protection",
		}}, nil
	})
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	finalizer, ok := p.finalizers[a.GetResource().GroupResource()]
	if !ok || a.GetSubresource() != "" {
		return nil
	}
	obj, err := meta.Accessor(a.GetObject())
	if err != nil {
		return err
	}
	if !slices.Contains(obj.GetFinalizers(), finalizer) {
		obj.SetFinalizers(append(obj.GetFinalizers(), finalizer))
	}
	return nil
}
