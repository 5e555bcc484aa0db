// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authentication

import (
	"github.com/stoa-project/stoa/apis/authentication"
	authenticationv1 "github.com/stoa-project/stoa/apis/authentication/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group authentication.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    authentication.GroupName,
		Install: kind.Types(authenticationv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: SelfSubjectReviews(), Versions: v1},
			{Kind: TokenReviews(), Versions: v1},
		},
	}
}
