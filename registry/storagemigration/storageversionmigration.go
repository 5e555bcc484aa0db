// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storagemigration

import (
	"context"

	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/storagemigration"
	"github.com/stoa-project/stoa/apis/storagemigration/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// StorageVersionMigrations returns the kind StorageVersionMigration.
func StorageVersionMigrations() kind.Kind {
	name := kind.Name[storagemigration.StorageVersionMigration]()
	name.Format = "" // as in Kubernetes
	return kind.New(kind.Definition[storagemigration.StorageVersionMigration]{
		Kind: "StorageVersionMigration", Plural: "storageversionmigrations",
		ClusterScoped: true,
		Spec: kind.PartOf(func(s *storagemigration.StorageVersionMigration) *storagemigrationv1.StorageVersionMigrationSpec {
			return &s.Spec
		}),
		Status: kind.PartOf(func(s *storagemigration.StorageVersionMigration) *storagemigrationv1.StorageVersionMigrationStatus {
			return &s.Status
		}),
		NoGeneration: true, // as in Kubernetes
		Strategy: kind.Strategy[storagemigration.StorageVersionMigration]{
			Validate: func(_ context.Context, obj *storagemigration.StorageVersionMigration) field.ErrorList {
				return validation.ValidateStorageVersionMigration((*storagemigrationv1.StorageVersionMigration)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *storagemigration.StorageVersionMigration) field.ErrorList {
				return validation.ValidateStorageVersionMigrationUpdate((*storagemigrationv1.StorageVersionMigration)(obj), (*storagemigrationv1.StorageVersionMigration)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *storagemigration.StorageVersionMigration) field.ErrorList {
				return validation.ValidateStorageVersionMigrationStatus((*storagemigrationv1.StorageVersionMigration)(obj), (*storagemigrationv1.StorageVersionMigration)(old))
			},
		},
		Columns: []kind.Column[storagemigration.StorageVersionMigration]{
			name,
			{Name: "Resource", Description: storagemigrationv1.StorageVersionMigrationSpec{}.SwaggerDoc()["resource"],
				Value: func(s *storagemigration.StorageVersionMigration) any {
					return s.Spec.Resource.String()
				}},
			{Name: "Status", Description: storagemigrationv1.StorageVersionMigrationStatus{}.SwaggerDoc()["conditions"], Value: progress},
		},
	})
}

// progress is the condition that holds, or that the migration still waits.
func progress(s *storagemigration.StorageVersionMigration) any {
	for _, condition := range []storagemigrationv1.MigrationConditionType{storagemigrationv1.MigrationSucceeded, storagemigrationv1.MigrationFailed, storagemigrationv1.MigrationRunning} {
		if meta.IsStatusConditionTrue(s.Status.Conditions, string(condition)) {
			return string(condition)
		}
	}
	return "Pending"
}
