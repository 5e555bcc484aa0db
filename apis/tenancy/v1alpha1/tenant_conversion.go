// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

// Convert_v1alpha1_Tenant_To_tenancy_Tenant fills the fields v1alpha1 does not
// have from the annotation. A field that v1alpha1 has always wins.
func Convert_v1alpha1_Tenant_To_tenancy_Tenant(in *Tenant, out *tenancy.Tenant, s conversion.Scope) error {
	if err := autoConvert_v1alpha1_Tenant_To_tenancy_Tenant(in, out, s); err != nil {
		return err
	}
	rest := readRest[tenantRest](&out.ObjectMeta)
	var hidden tenancy.TenantSpec
	if err := tenancyv1.Convert_v1_TenantSpec_To_tenancy_TenantSpec(&rest.Spec, &hidden, s); err != nil {
		return err
	}
	out.Spec.Namespaces.Labels = hidden.Namespaces.Labels
	out.Spec.Namespaces.Annotations = hidden.Namespaces.Annotations
	out.Spec.NamespaceDefaults = hidden.NamespaceDefaults
	out.Spec.NamespaceDefaults.NetworkIsolation = tenancy.NetworkIsolation(in.Spec.NetworkIsolation)
	out.Spec.Placement = hidden.Placement
	for _, owner := range rest.Owners {
		if owner.Index >= 0 && owner.Index < len(in.Spec.Owners) && in.Spec.Owners[owner.Index] == owner.Text {
			out.Spec.Owners[owner.Index] = owner.Subject
		}
	}
	return nil
}

// Convert_tenancy_Tenant_To_v1alpha1_Tenant puts what v1alpha1 has no field for
// into the annotation.
func Convert_tenancy_Tenant_To_v1alpha1_Tenant(in *tenancy.Tenant, out *Tenant, s conversion.Scope) error {
	if err := autoConvert_tenancy_Tenant_To_v1alpha1_Tenant(in, out, s); err != nil {
		return err
	}
	var spec tenancyv1.TenantSpec
	if err := tenancyv1.Convert_tenancy_TenantSpec_To_v1_TenantSpec(&in.Spec, &spec, s); err != nil {
		return err
	}
	rest := tenantRest{Spec: hiddenSpec(spec)}
	for i, owner := range in.Spec.Owners {
		if inexactSubject(owner) {
			rest.Owners = append(rest.Owners, ownerRest{Index: i, Text: formatSubject(owner), Subject: owner})
		}
	}
	return writeRest(&out.ObjectMeta, rest)
}

// Convert_v1alpha1_TenantSpec_To_tenancy_TenantSpec moves the flat limits and
// reads the owners, which conversion-gen takes for a plain cast.
func Convert_v1alpha1_TenantSpec_To_tenancy_TenantSpec(in *TenantSpec, out *tenancy.TenantSpec, s conversion.Scope) error {
	if err := autoConvert_v1alpha1_TenantSpec_To_tenancy_TenantSpec(in, out, s); err != nil {
		return err
	}
	out.Owners = nil
	for _, owner := range in.Owners {
		out.Owners = append(out.Owners, parseSubject(owner))
	}
	out.Namespaces.Limit = in.MaxNamespaces
	out.Quota.Hard = in.Quota
	out.NamespaceDefaults.NetworkIsolation = tenancy.NetworkIsolation(in.NetworkIsolation)
	return nil
}

// Convert_tenancy_TenantSpec_To_v1alpha1_TenantSpec moves the flat limits.
func Convert_tenancy_TenantSpec_To_v1alpha1_TenantSpec(in *tenancy.TenantSpec, out *TenantSpec, s conversion.Scope) error {
	if err := autoConvert_tenancy_TenantSpec_To_v1alpha1_TenantSpec(in, out, s); err != nil {
		return err
	}
	out.MaxNamespaces = in.Namespaces.Limit
	out.Quota = in.Quota.Hard
	out.NetworkIsolation = NetworkIsolation(in.NamespaceDefaults.NetworkIsolation)
	return nil
}

// Convert_v1alpha1_TenantStatus_To_tenancy_TenantStatus moves the namespaces.
func Convert_v1alpha1_TenantStatus_To_tenancy_TenantStatus(in *TenantStatus, out *tenancy.TenantStatus, s conversion.Scope) error {
	if err := autoConvert_v1alpha1_TenantStatus_To_tenancy_TenantStatus(in, out, s); err != nil {
		return err
	}
	out.Namespaces = tenancy.TenantNamespacesStatus{Count: in.NamespaceCount, Names: in.Namespaces}
	return nil
}

// Convert_tenancy_TenantStatus_To_v1alpha1_TenantStatus moves the namespaces.
func Convert_tenancy_TenantStatus_To_v1alpha1_TenantStatus(in *tenancy.TenantStatus, out *TenantStatus, s conversion.Scope) error {
	if err := autoConvert_tenancy_TenantStatus_To_v1alpha1_TenantStatus(in, out, s); err != nil {
		return err
	}
	out.NamespaceCount = in.Namespaces.Count
	out.Namespaces = in.Namespaces.Names
	return nil
}
