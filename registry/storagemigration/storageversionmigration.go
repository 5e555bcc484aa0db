// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storagemigration

import (
	storagemigrationv1 "k8s.io/api/storagemigration/v1"

	"github.com/stoa-project/stoa/apis/storagemigration"
	"github.com/stoa-project/stoa/registry/kind"
)

// StorageVersionMigrations returns the kind StorageVersionMigration.
func StorageVersionMigrations() kind.Kind {
	return kind.New(kind.Definition[storagemigration.StorageVersionMigration]{
		Kind: "StorageVersionMigration", Plural: "storageversionmigrations",
		ClusterScoped: true,
		Spec: kind.PartOf(func(s *storagemigration.StorageVersionMigration) *storagemigrationv1.StorageVersionMigrationSpec {
			return &s.Spec
		}),
		Status: kind.PartOf(func(s *storagemigration.StorageVersionMigration) *storagemigrationv1.StorageVersionMigrationStatus {
			return &s.Status
		}),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
