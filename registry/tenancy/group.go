// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/apis/tenancy/install"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group tenancy.stoa.dev.
func Group() kind.Group {
	all := []string{"v1", "v1alpha1"}
	return kind.Group{
		Name: tenancy.GroupName,
		Install: func(scheme *runtime.Scheme) {
			install.Install(scheme)
			addProjectFields(scheme, all...)
		},
		StorageVersion: "v1",
		Resources: []kind.Resource{
			{Kind: Grants(), Versions: all},
			{Kind: Projects(), Versions: all},
			{Kind: Tenants(), Versions: all},
		},
	}
}

// alphaPaths makes errors name the fields that users of v1alpha1 wrote.
func alphaPaths(paths []tenancyv1alpha1.FieldPath) map[string][]kind.PathRule {
	rules := make([]kind.PathRule, len(paths))
	for i, p := range paths {
		rules[i] = kind.PathRule(p)
	}
	return map[string][]kind.PathRule{"v1alpha1": rules}
}
