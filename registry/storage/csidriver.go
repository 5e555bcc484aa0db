// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"strings"

	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/apis/storage/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// CSIDrivers returns the kind CSIDriver.
func CSIDrivers() kind.Kind {
	return kind.New(kind.Definition[storage.CSIDriver]{
		Kind: "CSIDriver", Plural: "csidrivers",
		ClusterScoped:  true,
		Spec:           kind.PartOf(func(c *storage.CSIDriver) *storagev1.CSIDriverSpec { return &c.Spec }),
		NoGeneration:   true, // but see countChange
		ReturnsDeleted: true, // as in Kubernetes
		Strategy: kind.Strategy[storage.CSIDriver]{
			Prepare: countChange,
			Validate: func(_ context.Context, obj *storage.CSIDriver) field.ErrorList {
				return validation.ValidateCSIDriver((*storagev1.CSIDriver)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *storage.CSIDriver) field.ErrorList {
				return validation.ValidateCSIDriverUpdate((*storagev1.CSIDriver)(obj), (*storagev1.CSIDriver)(old))
			},
			Warnings: func(_ context.Context, obj, old *storage.CSIDriver) []string {
				if old != nil {
					return nil
				}
				return validation.WarningsOnCSIDriver((*storagev1.CSIDriver)(obj))
			},
		},
		Columns: driverColumns(),
	})
}

// countChange counts the changes of spec, and as in Kubernetes only those: a new
// driver has no generation.
func countChange(_ context.Context, obj, old *storage.CSIDriver) {
	if old != nil && !apiequality.Semantic.DeepEqual(obj.Spec, old.Spec) {
		obj.Generation = old.Generation + 1
	}
}

func driverColumns() []kind.Column[storage.CSIDriver] {
	spec := storagev1.CSIDriverSpec{}.SwaggerDoc()
	flag := func(name, key string, get func(*storagev1.CSIDriverSpec) bool) kind.Column[storage.CSIDriver] {
		return kind.Column[storage.CSIDriver]{Name: name, Type: "boolean", Description: spec[key],
			Value: func(c *storage.CSIDriver) any { return get(&c.Spec) }}
	}
	return []kind.Column[storage.CSIDriver]{
		kind.Name[storage.CSIDriver](),
		flag("AttachRequired", "attachRequired", func(s *storagev1.CSIDriverSpec) bool { return ptr.Deref(s.AttachRequired, true) }),
		flag("PodInfoOnMount", "podInfoOnMount", func(s *storagev1.CSIDriverSpec) bool { return ptr.Deref(s.PodInfoOnMount, false) }),
		flag("StorageCapacity", "storageCapacity", func(s *storagev1.CSIDriverSpec) bool { return ptr.Deref(s.StorageCapacity, false) }),
		{Name: "TokenRequests", Description: spec["tokenRequests"], Value: func(c *storage.CSIDriver) any {
			if c.Spec.TokenRequests == nil {
				return "<unset>"
			}
			var audiences []string
			for _, request := range c.Spec.TokenRequests {
				audiences = append(audiences, request.Audience)
			}
			return strings.Join(audiences, ",")
		}},
		flag("RequiresRepublish", "requiresRepublish", func(s *storagev1.CSIDriverSpec) bool { return ptr.Deref(s.RequiresRepublish, false) }),
		{Name: "Modes", Description: spec["volumeLifecycleModes"], Value: func(c *storage.CSIDriver) any {
			var modes []string
			for _, mode := range c.Spec.VolumeLifecycleModes {
				modes = append(modes, string(mode))
			}
			if len(modes) == 0 {
				return "<none>"
			}
			return strings.Join(modes, ",")
		}},
		kind.Age[storage.CSIDriver](),
	}
}
