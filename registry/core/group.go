// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/install"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the core group.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    core.GroupName,
		Install: install.Install,
		Resources: []kind.Resource{
			{Kind: ConfigMaps(), Versions: v1},
			{Kind: Namespaces(), Versions: v1},
			{Kind: Secrets(), Versions: v1},
		},
	}
}
