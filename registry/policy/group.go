// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"github.com/stoa-project/stoa/apis/policy"
	policyv1 "github.com/stoa-project/stoa/apis/policy/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group policy.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    policy.GroupName,
		Install: kind.Types(policyv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: PodDisruptionBudgets(), Versions: v1},
		},
	}
}
