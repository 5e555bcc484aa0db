// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

// Manager owns what is used of the quota of a tenant, whether charged or counted.
const Manager = "stoa-quota"

// ofTenant begins the name of the quota of a tenant. No object has such a name.
const ofTenant = "tenant "

// OfTenant returns the quota of a tenant in the form of a quota of one of its namespaces.
func OfTenant(tenant *tenancyv1.Tenant, namespace string) *corev1.ResourceQuota {
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: ofTenant + tenant.Name, UID: tenant.UID, ResourceVersion: tenant.ResourceVersion,
		},
		Spec:   corev1.ResourceQuotaSpec{Hard: tenant.Spec.Quota.Hard},
		Status: corev1.ResourceQuotaStatus{Hard: tenant.Spec.Quota.Hard, Used: tenant.Status.QuotaUsed},
	}
}

// TenantOf returns the tenant whose quota has a name; empty for those of namespaces.
func TenantOf(name string) string {
	tenant, ok := strings.CutPrefix(name, ofTenant)
	if !ok {
		return ""
	}
	return tenant
}
