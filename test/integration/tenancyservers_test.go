// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/stoatest"
)

// twoServers starts two servers on one etcd, where somebody may create projects.
func twoServers(t *testing.T, creator string) [2]*stoatest.Server {
	t.Helper()
	shared, err := etcd.Start(t.Context(), etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shared.Stop(context.WithoutCancel(t.Context())) })
	onShared := stoatest.WithFlags("--etcd-servers=" + shared.Endpoints()[0])
	servers := [2]*stoatest.Server{stoatest.Start(t, onShared), stoatest.Start(t, onShared)}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "creator"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "stoa:project-creator"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: creator}},
	}
	if _, err := kubernetes.NewForConfigOrDie(servers[0].Config()).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { // a controller gives the owners of projects their rules
		role, err := kubernetes.NewForConfigOrDie(servers[0].Config()).RbacV1().ClusterRoles().Get(t.Context(), "admin", metav1.GetOptions{})
		if err == nil && len(role.Rules) == 0 {
			return "the role admin has no rules"
		}
		return text(err)
	})
	for _, server := range servers { // both have heard of it
		eventually(t, func() string {
			_, err := tenancyAs(t, server, creator).TenancyV1().Projects().Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "dry"}}, metav1.CreateOptions{DryRun: []string{"All"}})
			return text(err)
		})
	}
	return servers
}

// TestProjectsOfTwoServers reads through one server what was written through the other,
// at once.
func TestProjectsOfTwoServers(t *testing.T) {
	t.Parallel()
	servers := twoServers(t, "ann")
	for i := range 20 {
		name := fmt.Sprint("p", i)
		writes, reads := tenancyAs(t, servers[i%2], "ann").TenancyV1().Projects(), tenancyAs(t, servers[1-i%2], "ann").TenancyV1().Projects()
		made, err := writes.Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := reads.List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != i+1 {
			t.Errorf("%d projects, want %d, %v", len(list.Items), i+1, err)
		}
		if _, err := reads.Get(t.Context(), name, metav1.GetOptions{ResourceVersion: made.ResourceVersion}); err != nil {
			t.Errorf("%s, by the version that its creator has: %v", name, err)
		}
	}
}

// TestTenantLimitOfTwoServers has both servers create as fast as they can, projects and
// namespaces: there are as many as there may be, and not one more.
func TestTenantLimitOfTwoServers(t *testing.T) {
	t.Parallel()
	const limit, tries, owner = 7, 80, "pam"
	servers := twoServers(t, owner)
	tenants := tenancyAs(t, servers[0], "").TenancyV1().Tenants()
	for _, kind := range []string{"projects", "namespaces"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: kind}}
			tenant.Spec.Owners = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: owner}}
			tenant.Spec.Namespaces.Limit = new(int32(limit))
			if _, err := tenants.Create(t.Context(), tenant, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			var made atomic.Int32
			for i := range tries {
				name, server := fmt.Sprintf("%s-%d", kind, i), servers[i%2]
				all.Go(func() {
					var err error
					if kind == "projects" {
						_, err = tenancyAs(t, server, owner).TenancyV1().Projects().Create(t.Context(), &tenancyv1.Project{
							ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.ProjectSpec{Tenant: kind},
						}, metav1.CreateOptions{})
					} else {
						config := rest.CopyConfig(server.Config())
						config.Impersonate = rest.ImpersonationConfig{UserName: owner, Groups: []string{"system:stoa:project-writers"}}
						_, err = kubernetes.NewForConfigOrDie(config).CoreV1().Namespaces().Create(t.Context(), namespaceOf(kind, name), metav1.CreateOptions{})
					}
					switch {
					case err == nil:
						made.Add(1)
					case !apierrors.IsForbidden(err):
						t.Error(err)
					}
				})
			}
			all.Wait()
			there, err := kubernetes.NewForConfigOrDie(servers[0].Config()).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{LabelSelector: tenancy.TenantLabel + "=" + kind})
			if err != nil || made.Load() != limit || len(there.Items) != limit {
				t.Errorf("%d made, %d there, want %d, %v", made.Load(), len(there.Items), limit, err)
			}
		})
	}
}
