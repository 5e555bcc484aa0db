// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authorization

import (
	"github.com/stoa-project/stoa/apis/authorization"
	authorizationv1 "github.com/stoa-project/stoa/apis/authorization/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group authorization.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    authorization.GroupName,
		Install: kind.Types(authorizationv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: LocalSubjectAccessReviews(), Versions: v1},
			{Kind: SelfSubjectAccessReviews(), Versions: v1},
			{Kind: SelfSubjectRulesReviews(), Versions: v1},
			{Kind: SubjectAccessReviews(), Versions: v1},
		},
	}
}
