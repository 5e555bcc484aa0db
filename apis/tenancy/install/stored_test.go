// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// Files of a released version are never written again; a new version gets new
// files with "go test ./apis/tenancy/install -run Stored -write".
var write = flag.Bool("write", false, "write the files that do not exist yet")

// Stored bytes of every version decode to the same object, now and in future.
func TestStoredBytes(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]runtime.Object{"tenant": storedTenant(), "grant": storedGrant()} {
		for _, version := range []string{"v1", "v1alpha1"} {
			t.Run(kind+" "+version, func(t *testing.T) {
				t.Parallel()
				scheme := newScheme()
				codecs := serializer.NewCodecFactory(scheme)
				pretty := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Pretty: true})
				gv := schema.GroupVersion{Group: "tenancy.stoa.dev", Version: version}
				encoded, err := runtime.Encode(codecs.EncoderForVersion(pretty, gv), want)
				if err != nil {
					t.Fatal(err)
				}

				file := filepath.Join("..", "testdata", version, kind+".json")
				stored, err := os.ReadFile(file)
				if os.IsNotExist(err) && *write {
					stored = encoded
					err = os.WriteFile(file, encoded, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := runtime.Decode(codecs.UniversalDecoder(tenancy.SchemeGroupVersion), stored)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s decodes to something else (-want +got):\n%s", file, diff)
				}
				if !bytes.Equal(stored, encoded) {
					t.Errorf("%s would be written in another way (-stored +now):\n%s", file, cmp.Diff(string(stored), string(encoded)))
				}
			})
		}
	}
}

const rbacGroup = "rbac.authorization.k8s.io"

func storedMeta(name, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: namespace, UID: "6f1e0e1c-7a33-4a3c-9f0a-0d7c3e6f1b11", Generation: 2,
		CreationTimestamp: metav1.Time{Time: time.Date(2026, 11, 21, 19, 0, 0, 0, time.UTC).Local()},
		Labels:            map[string]string{"team": "blue"}, Annotations: map[string]string{"note": "kept"},
	}
}

func storedConditions() []metav1.Condition {
	return []metav1.Condition{{
		Type: "Ready", Status: "True", Reason: "Done", Message: "All is well.", ObservedGeneration: 2,
		LastTransitionTime: metav1.Time{Time: time.Date(2026, 11, 21, 19, 0, 1, 0, time.UTC).Local()},
	}}
}

// storedTenant has a value in every field.
func storedTenant() *tenancy.Tenant {
	return &tenancy.Tenant{
		ObjectMeta: storedMeta("blue", ""),
		Spec: tenancy.TenantSpec{
			DisplayName: "Team Blue",
			Owners: []rbacv1.Subject{
				{APIGroup: rbacGroup, Kind: "User", Name: "system:alice"},
				{APIGroup: rbacGroup, Kind: "Group", Name: "dev"},
				{Kind: "ServiceAccount", Namespace: "ci", Name: "builder"},
			},
			Namespaces: tenancy.TenantNamespaces{
				Limit: ptr.To[int32](3), Labels: map[string]string{"team": "blue"},
				Annotations: map[string]string{"contact": "blue@example.com"},
			},
			Quota: tenancy.TenantQuota{Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("10")}},
			NamespaceDefaults: tenancy.NamespaceDefaults{
				Quota: tenancy.NamespaceQuota{Hard: corev1.ResourceList{"pods": resource.MustParse("20")}},
				LimitRange: tenancy.NamespaceLimitRange{Items: []corev1.LimitRangeItem{{
					Type: "Container", Max: corev1.ResourceList{"cpu": resource.MustParse("2")},
				}}},
				RoleBindings: []tenancy.NamespaceRoleBinding{{
					Name: "view", RoleRef: rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "ClusterRole", Name: "view"},
					Subjects: []rbacv1.Subject{{APIGroup: rbacGroup, Kind: "Group", Name: "auditors"}},
				}},
				NetworkIsolation: "Tenant",
			},
			Placement: tenancy.Placement{
				NodeSelector: map[string]string{"pool": "blue"},
				Tolerations:  []corev1.Toleration{{Key: "pool", Operator: "Equal", Value: "blue", Effect: "NoExecute", TolerationSeconds: ptr.To[int64](60)}},
			},
			Suspended: true,
		},
		Status: tenancy.TenantStatus{
			Phase:      "Suspended",
			Namespaces: tenancy.TenantNamespacesStatus{Count: 2, Names: []string{"blue-dev", "blue-prod"}},
			QuotaUsed:  corev1.ResourceList{"requests.cpu": resource.MustParse("2500m")}, ObservedGeneration: 2,
			Conditions: storedConditions(),
		},
	}
}

// storedGrant has a value in every field that can have one together with others.
func storedGrant() *tenancy.Grant {
	return &tenancy.Grant{
		ObjectMeta: storedMeta("on-call", "blue-prod"),
		Spec: tenancy.GrantSpec{
			Subject:   rbacv1.Subject{APIGroup: rbacGroup, Kind: "User", Name: "bob"},
			RoleRef:   &rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "Role", Name: "debug"},
			Rules:     []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}, ResourceNames: []string{"web"}}},
			ExpiresAt: &metav1.Time{Time: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC).Local()},
			Duration:  &metav1.Duration{Duration: 8 * time.Hour},
			Reason:    "incident 42",
		},
		Status: tenancy.GrantStatus{
			Phase: "Active",
			GrantedBy: &authenticationv1.UserInfo{
				Username: "alice", UID: "1", Groups: []string{"dev"},
				Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a", "b"}},
			},
			ActivatedAt:        &metav1.Time{Time: time.Date(2026, 11, 21, 19, 0, 1, 0, time.UTC).Local()},
			ExpiresAt:          &metav1.Time{Time: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC).Local()},
			ObservedGeneration: 2, Conditions: storedConditions(),
		},
	}
}
