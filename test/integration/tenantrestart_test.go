// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/stoatest"
)

// TestTenantWithoutController has a namespace leave its tenant, and the tenant be deleted,
// while no controller runs. The next one takes away what the namespace got, and only then
// the tenant goes.
func TestTenantWithoutController(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(controllers string, do func(kubernetes.Interface, *stoatest.Server)) {
		t.Helper()
		server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--controllers="+controllers))
		defer server.Stop()
		do(kubernetes.NewForConfigOrDie(server.Config()), server)
	}
	const off = "*,-tenant-controller"
	run("*", func(client kubernetes.Interface, server *stoatest.Server) {
		tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "orange"}}
		tenant.Spec.Owners = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "olga"}}
		tenant.Spec.Namespaces = tenancyv1.TenantNamespaces{Labels: map[string]string{"team": "orange"}, Annotations: map[string]string{"pays": "olga"}}
		if _, err := tenancyAs(t, server, "").TenancyV1().Tenants().Create(t.Context(), tenant, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"left", "stays"} {
			if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespaceOf("orange", name), metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			await(t, "what the tenant gives "+name, func(ctx context.Context) (bool, error) {
				_, err := client.RbacV1().RoleBindings(name).Get(ctx, tenancy.OwnersBinding, metav1.GetOptions{})
				return err == nil, nil
			})
		}
	})
	run(off, func(client kubernetes.Interface, server *stoatest.Server) {
		leave := []byte(`{"metadata": {"labels": {"tenancy.stoa.dev/tenant": null}}}`)
		left, err := client.CoreV1().Namespaces().Patch(t.Context(), "left", types.MergePatchType, leave, metav1.PatchOptions{})
		if err != nil || left.Labels["team"] != "orange" || left.Annotations["pays"] != "olga" {
			t.Fatalf("%+v, %v", left, err)
		}
		tenants := tenancyAs(t, server, "").TenancyV1().Tenants()
		young := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "young"}}
		if _, err := tenants.Create(t.Context(), young, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"orange", "young"} {
			if err := tenants.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			if deleted, err := tenants.Get(t.Context(), name, metav1.GetOptions{}); err != nil || deleted.DeletionTimestamp == nil {
				t.Errorf("deleted while no controller runs: %+v, %v", deleted, err)
			}
		}
	})
	run("*", func(client kubernetes.Interface, server *stoatest.Server) {
		await(t, "the end of what the tenant gave", func(ctx context.Context) (bool, error) {
			left, err := client.CoreV1().Namespaces().Get(ctx, "left", metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			_, errOfBinding := client.RbacV1().RoleBindings("left").Get(ctx, tenancy.OwnersBinding, metav1.GetOptions{})
			_, labelled := left.Labels["team"]
			_, marked := left.Annotations["tenancy.stoa.dev/metadata-of"]
			return apierrors.IsNotFound(errOfBinding) && !labelled && left.Annotations["pays"] == "" && !marked, nil
		})
		tenants := tenancyAs(t, server, "").TenancyV1().Tenants()
		await(t, "the end of the tenant without namespaces", func(ctx context.Context) (bool, error) {
			_, err := tenants.Get(ctx, "young", metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
		if _, err := client.RbacV1().RoleBindings("stays").Get(t.Context(), tenancy.OwnersBinding, metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := tenants.Get(t.Context(), "orange", metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
	})
}
