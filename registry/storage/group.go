// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"github.com/stoa-project/stoa/apis/storage"
	storagev1 "github.com/stoa-project/stoa/apis/storage/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group storage.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    storage.GroupName,
		Install: kind.Types(storagev1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: CSIDrivers(), Versions: v1},
			{Kind: CSINodes(), Versions: v1},
			{Kind: CSIStorageCapacities(), Versions: v1},
			{Kind: Classes(), Versions: v1},
			{Kind: VolumeAttachments(), Versions: v1},
			{Kind: VolumeAttributesClasses(), Versions: v1},
		},
	}
}
