// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package members knows which namespaces belong to a tenant, and who else than its owners
// may do there what they may.
package members

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/metadata"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// verbUse lets somebody have namespaces belong to tenants that he does not own, and write
// in them while a tenant is suspended.
const verbUse = "use"

// List returns the namespaces of a tenant as they are now.
func List(ctx context.Context, client metadata.Interface, tenant string) ([]metav1.PartialObjectMetadata, error) {
	list, err := client.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{tenancy.TenantLabel: tenant}.String(),
	})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// MayUse says whether a user has the verb use for a tenant. Who cannot be told to be
// allowed is not.
func MayUse(ctx context.Context, by authorizer.Authorizer, who user.Info, tenant string) bool {
	decision, _, _ := by.Authorize(ctx, authorizer.AttributesRecord{
		User: who, Verb: verbUse, Name: tenant, ResourceRequest: true,
		APIGroup: tenancy.GroupName, APIVersion: "*", Resource: "tenants",
	})
	return decision == authorizer.DecisionAllow
}
