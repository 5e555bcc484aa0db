// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

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
			Warnings: func(ctx context.Context, obj, old *tenancy.Tenant) []string {
				return append(validation.WarningsOnTenant(obj, old), lostFields(ctx, obj, old)...)
			},
		},
		Permit: permitTenant,
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
			{Name: "Quota", Wide: true, Description: "What all namespaces use together, of how much that is allowed.",
				Value: func(t *tenancy.Tenant) any { return quota(t) }},
		},
		Paths: alphaPaths(tenancyv1alpha1.TenantFieldPaths()),
		Fields: []kind.Field[tenancy.Tenant]{
			{Path: "spec.suspended", Value: func(t *tenancy.Tenant) string { return strconv.FormatBool(t.Spec.Suspended) }},
			{Path: "status.phase", Value: func(t *tenancy.Tenant) string { return string(t.Status.Phase) }},
		},
	})
}

// prepareTenant stores the phase that reading would default to: otherwise the next
// write without a change would store it, and count as one. A new tenant uses nothing, so
// that its quota holds at once. It is kept from the start on for as long as it has
// namespaces, also if the controller does not look at it before it is deleted.
func prepareTenant(_ context.Context, obj, old *tenancy.Tenant) {
	if old == nil && !slices.Contains(obj.Finalizers, tenancy.NamespacesFinalizer) {
		obj.Finalizers = append(obj.Finalizers, tenancy.NamespacesFinalizer)
	}
	if old == nil && len(obj.Spec.Quota.Hard) > 0 {
		obj.Status.QuotaUsed = corev1.ResourceList{}
		for name, hard := range obj.Spec.Quota.Hard {
			obj.Status.QuotaUsed[name] = *resource.NewQuantity(0, hard.Format)
		}
	}
	switch {
	case old != nil:
	case obj.Spec.Suspended:
		obj.Status.Phase = tenancy.TenantSuspended
	default:
		obj.Status.Phase = tenancy.TenantActive
	}
}

// lostFields warns of an update through v1alpha1 that took away the annotation with
// the fields that v1alpha1 has not, and so the fields.
func lostFields(ctx context.Context, obj, old *tenancy.Tenant) []string {
	info, ok := genericapirequest.RequestInfoFrom(ctx)
	if old == nil || !ok || info.APIVersion != "v1alpha1" {
		return nil
	}
	var lost []string
	note := func(path string, before, after any) {
		if !reflect.ValueOf(before).IsZero() && reflect.ValueOf(after).IsZero() {
			lost = append(lost, path)
		}
	}
	note("spec.namespaces.labels", old.Spec.Namespaces.Labels, obj.Spec.Namespaces.Labels)
	note("spec.namespaces.annotations", old.Spec.Namespaces.Annotations, obj.Spec.Namespaces.Annotations)
	note("spec.namespaceDefaults.quota", old.Spec.NamespaceDefaults.Quota, obj.Spec.NamespaceDefaults.Quota)
	note("spec.namespaceDefaults.limitRange", old.Spec.NamespaceDefaults.LimitRange, obj.Spec.NamespaceDefaults.LimitRange)
	note("spec.namespaceDefaults.roleBindings", old.Spec.NamespaceDefaults.RoleBindings, obj.Spec.NamespaceDefaults.RoleBindings)
	note("spec.placement", old.Spec.Placement, obj.Spec.Placement)
	if lost == nil {
		return nil
	}
	return []string{"metadata.annotations[" + tenancyv1alpha1.RestAnnotation + "]: was removed, and with it " + strings.Join(lost, ", ") + " of v1"}
}

func namespaces(t *tenancy.Tenant) string {
	count := strconv.Itoa(int(t.Status.Namespaces.Count))
	if t.Spec.Namespaces.Limit == nil {
		return count
	}
	return count + "/" + strconv.Itoa(int(*t.Spec.Namespaces.Limit))
}

func quota(t *tenancy.Tenant) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(t.Spec.Quota.Hard)) {
		used, hard := "?", t.Spec.Quota.Hard[name]
		if quantity, ok := t.Status.QuotaUsed[name]; ok {
			used = quantity.String()
		}
		parts = append(parts, fmt.Sprintf("%s: %s/%s", name, used, hard.String()))
	}
	return strings.Join(parts, ", ")
}
