// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t).Config()
	roles := func(kind string) kindtest.Suite {
		return kindtest.Suite{
			Valid:  "{apiVersion: rbac.authorization.k8s.io/v1, kind: " + kind + `, rules: [{verbs: [get], apiGroups: [""], resources: [pods]}]}`,
			Update: `rules: [{verbs: [get, list], apiGroups: [""], resources: [pods]}]`,
			Invalid: []kindtest.Invalid{{
				Name: "a rule about nothing", Patch: "rules: [{verbs: [get]}]",
				Errors: []string{
					"rules[0].apiGroups: Required value: resource rules must supply at least one api group",
					"rules[0].resources: Required value: resource rules must supply at least one resource",
				},
			}, {
				Name: "a rule without a verb", OnUpdate: true, Patch: `rules: [{verbs: [], apiGroups: [""], resources: [pods]}]`,
				Errors: []string{"rules[0].verbs: Required value"},
			}},
			Columns: []string{"Name", "Created At"},
		}
	}
	bindings := func(kind string) kindtest.Suite {
		return kindtest.Suite{
			Valid:  "{apiVersion: rbac.authorization.k8s.io/v1, kind: " + kind + ", subjects: [{kind: User, name: alice}], roleRef: {kind: ClusterRole, name: view}}",
			Update: "subjects: [{kind: User, name: bob}]",
			Invalid: []kindtest.Invalid{{
				Name: "for nobody", Patch: "subjects: [{kind: User}]", Errors: []string{"subjects[0].name: Required value"},
			}, {
				Name: "for what is nobody", Patch: "subjects: [{kind: Robot, name: a}]",
				Errors: []string{`subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"`},
			}, {
				Name: "another role", OnUpdate: true, Patch: "roleRef: {name: edit}",
				Errors: []string{`roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: field is immutable`},
			}},
			Columns: []string{"Name", "Role", "Age", "Users", "Groups", "ServiceAccounts"},
		}
	}
	for _, tc := range []struct {
		resource  schema.GroupVersionResource
		namespace string
		suite     kindtest.Suite
	}{
		{schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, "", roles("ClusterRole")},
		{schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}, "", bindings("ClusterRoleBinding")},
		{schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, "default", roles("Role")},
		{schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}, "default", bindings("RoleBinding")},
	} {
		t.Run(tc.resource.Resource, func(t *testing.T) {
			t.Parallel()
			tc.suite.Config, tc.suite.Resource, tc.suite.Namespace = config, tc.resource, tc.namespace
			kindtest.Run(t, tc.suite)
		})
	}
}
