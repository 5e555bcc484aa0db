// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storagemigration

import (
	"github.com/stoa-project/stoa/apis/storagemigration"
	storagemigrationv1 "github.com/stoa-project/stoa/apis/storagemigration/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group storagemigration.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    storagemigration.GroupName,
		Install: kind.Types(storagemigrationv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: StorageVersionMigrations(), Versions: v1},
		},
	}
}
