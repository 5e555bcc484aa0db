// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"github.com/stoa-project/stoa/apis/batch"
	batchv1 "github.com/stoa-project/stoa/apis/batch/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group batch.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    batch.GroupName,
		Install: kind.Types(batchv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: CronJobs(), Versions: v1},
			{Kind: Jobs(), Versions: v1},
		},
	}
}
