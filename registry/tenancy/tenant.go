// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
	"github.com/stoa-project/stoa/apis/tenancy/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// Tenants returns the kind Tenant.
func Tenants() kind.Kind {
	return kind.New(kind.Definition[tenancy.Tenant]{
		Kind: "Tenant", Plural: "tenants",
		ShortNames: []string{"tn"}, Categories: []string{"tenancy"},
		ClusterScoped: true,
		Spec:          kind.PartOf(func(t *tenancy.Tenant) *tenancy.TenantSpec { return &t.Spec }),
		Status:        kind.PartOf(func(t *tenancy.Tenant) *tenancy.TenantStatus { return &t.Status }),
		Strategy: kind.Strategy[tenancy.Tenant]{
			Prepare:      prepareTenant,
			ValidateName: validation.ValidateTenantName,
			Validate: func(_ context.Context, obj *tenancy.Tenant) field.ErrorList {
				return validation.ValidateTenant(obj)
			},
			ValidateStatus: func(_ context.Context, obj, old *tenancy.Tenant) field.ErrorList {
				return validation.ValidateTenantStatusUpdate(obj, old)
			},
			Warnings: func(_ context.Context, obj, old *tenancy.Tenant) []string {
				return validation.WarningsOnTenant(obj, old)
			},
		},
		Columns: []kind.Column[tenancy.Tenant]{
			kind.Name[tenancy.Tenant](),
			{Name: "Phase", Description: "Whether the tenant works, is suspended or is being deleted.",
				Value: func(t *tenancy.Tenant) any { return string(t.Status.Phase) }},
			{Name: "Namespaces", Description: "How many namespaces there are, of how many that are allowed.",
				Value: func(t *tenancy.Tenant) any { return namespaces(t) }},
			kind.Age[tenancy.Tenant](),
			{Name: "Display Name", Wide: true, Description: "The name for people.",
				Value: func(t *tenancy.Tenant) any { return t.Spec.DisplayName }},
			{Name: "Owners", Type: "integer", Wide: true, Description: "How many subjects own the tenant.",
				Value: func(t *tenancy.Tenant) any { return int64(len(t.Spec.Owners)) }},
		},
		Paths: alphaPaths(tenancyv1alpha1.TenantFieldPaths()),
		Fields: []kind.Field[tenancy.Tenant]{
			{Path: "spec.suspended", Value: func(t *tenancy.Tenant) string { return strconv.FormatBool(t.Spec.Suspended) }},
			{Path: "status.phase", Value: func(t *tenancy.Tenant) string { return string(t.Status.Phase) }},
		},
	})
}

// prepareTenant stores the phase that reading would default to: otherwise the next
// write without a change would store it, and count as one.
func prepareTenant(_ context.Context, obj, old *tenancy.Tenant) {
	switch {
	case old != nil:
	case obj.Spec.Suspended:
		obj.Status.Phase = tenancy.TenantSuspended
	default:
		obj.Status.Phase = tenancy.TenantActive
	}
}

func namespaces(t *tenancy.Tenant) string {
	count := strconv.Itoa(int(t.Status.Namespaces.Count))
	if t.Spec.Namespaces.Limit == nil {
		return count
	}
	return count + "/" + strconv.Itoa(int(*t.Spec.Namespaces.Limit))
}
