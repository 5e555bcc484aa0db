// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	rbacapply "k8s.io/client-go/applyconfigurations/rbac/v1"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
	applyv1 "github.com/stoa-project/stoa/generated/applyconfiguration/tenancy/v1"
	applyv1alpha1 "github.com/stoa-project/stoa/generated/applyconfiguration/tenancy/v1alpha1"
	"github.com/stoa-project/stoa/generated/clientset/versioned/fake"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
)

var applyOptions = metav1.ApplyOptions{FieldManager: "test", Force: true}

func TestApplyV1(t *testing.T) {
	t.Parallel()
	tenants := fake.NewClientset().TenancyV1().Tenants()
	configuration := applyv1.Tenant("blue").WithSpec(applyv1.TenantSpec().
		WithDisplayName("Team Blue").
		WithOwners(rbacapply.Subject().WithKind("User").WithName("alice")).
		WithNamespaces(applyv1.TenantNamespaces().WithLimit(3)))
	applied, err := tenants.Apply(t.Context(), configuration, applyOptions)
	if err != nil {
		t.Fatal(err)
	}
	if applied.Spec.DisplayName != "Team Blue" || len(applied.Spec.Owners) != 1 || *applied.Spec.Namespaces.Limit != 3 {
		t.Errorf("applied %+v", applied.Spec)
	}
	extracted, err := applyv1.ExtractTenant(applied, "test")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(configuration, extracted); diff != "" {
		t.Errorf("extracted (-applied +extracted):\n%s", diff)
	}

	withStatus, err := tenants.ApplyStatus(t.Context(),
		applyv1.Tenant("blue").WithStatus(applyv1.TenantStatus().WithPhase(tenancyv1.TenantSuspended)), applyOptions)
	if err != nil {
		t.Fatal(err)
	}
	withStatus.Status.ObservedGeneration = 7
	updated, err := tenants.UpdateStatus(t.Context(), withStatus, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if updated.Status.Phase != "Suspended" || updated.Status.ObservedGeneration != 7 {
		t.Errorf("status is %+v", updated.Status)
	}
}

func TestApplyV1alpha1(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset().TenancyV1alpha1()
	tenant, err := client.Tenants().Apply(t.Context(), applyv1alpha1.Tenant("blue").WithSpec(
		applyv1alpha1.TenantSpec().WithOwners("user:alice").WithMaxNamespaces(3)), applyOptions)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"user:alice"}, tenant.Spec.Owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	grant, err := client.Grants("shop").ApplyStatus(t.Context(),
		applyv1alpha1.Grant("on-call", "shop").WithStatus(applyv1alpha1.GrantStatus().WithPhase(tenancyv1alpha1.GrantActive)), applyOptions)
	if err != nil {
		t.Fatal(err)
	}
	if grant.Status.Phase != "Active" {
		t.Errorf("status is %+v", grant.Status)
	}
}

func TestInformersAndListers(t *testing.T) {
	t.Parallel()
	client := fake.NewClientset(
		&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "blue"}},
		&tenancyv1.Grant{ObjectMeta: metav1.ObjectMeta{Name: "on-call", Namespace: "shop"}},
	)
	factory := externalversions.NewSharedInformerFactory(client, 0)
	tenants, grants := factory.Tenancy().V1().Tenants(), factory.Tenancy().V1().Grants()
	tenants.Informer()
	grants.Informer()
	// t.Context ends before cleanups, and Shutdown waits for the informers.
	t.Cleanup(factory.Shutdown)
	factory.StartWithContext(t.Context())
	factory.WaitForCacheSyncWithContext(t.Context())

	if _, err := tenants.Lister().Get("blue"); err != nil {
		t.Error(err)
	}
	found, err := grants.Lister().Grants("shop").List(labels.Everything())
	if err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
}
