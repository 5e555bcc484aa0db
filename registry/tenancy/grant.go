// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"errors"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
	"github.com/stoa-project/stoa/apis/tenancy/validation"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
)

// Grants returns the kind Grant.
func Grants() kind.Kind {
	return kind.New(kind.Definition[tenancy.Grant]{
		Kind: "Grant", Plural: "grants", Categories: []string{"tenancy"},
		Spec:   kind.PartOf(func(g *tenancy.Grant) *tenancy.GrantSpec { return &g.Spec }),
		Status: kind.PartOf(func(g *tenancy.Grant) *tenancy.GrantStatus { return &g.Status }),
		Strategy: kind.Strategy[tenancy.Grant]{
			Prepare: prepareGrant,
			Validate: func(_ context.Context, obj *tenancy.Grant) field.ErrorList {
				return validation.ValidateGrant(obj)
			},
			ValidateUpdate: func(_ context.Context, obj, old *tenancy.Grant) field.ErrorList {
				return validation.ValidateGrantUpdate(obj, old)
			},
			ValidateStatus: func(_ context.Context, obj, old *tenancy.Grant) field.ErrorList {
				return validation.ValidateGrantStatusUpdate(obj, old)
			},
			Warnings: func(_ context.Context, obj, old *tenancy.Grant) []string {
				return validation.WarningsOnGrant(obj, old)
			},
		},
		Permit: permitGrant,
		Columns: []kind.Column[tenancy.Grant]{
			kind.Name[tenancy.Grant](),
			{Name: "Subject", Description: "Who gets the permission.",
				Value: func(g *tenancy.Grant) any { return g.Spec.Subject.Kind + "/" + g.Spec.Subject.Name }},
			{Name: "Role", Description: "The role that is granted, or that rules are.",
				Value: func(g *tenancy.Grant) any { return role(g.Spec.RoleRef) }},
			{Name: "Phase", Description: "Whether the grant is in force.",
				Value: func(g *tenancy.Grant) any { return string(g.Status.Phase) }},
			{Name: "Expires", Description: "How long the grant is still in force.",
				Value: func(g *tenancy.Grant) any { return expires(g) }},
			kind.Age[tenancy.Grant](),
			{Name: "Reason", Wide: true, Description: "Why the permission is granted.",
				Value: func(g *tenancy.Grant) any { return g.Spec.Reason }},
		},
		Paths: alphaPaths(tenancyv1alpha1.GrantFieldPaths()),
		Fields: []kind.Field[tenancy.Grant]{
			{Path: "status.phase", Value: func(g *tenancy.Grant) string { return string(g.Status.Phase) }},
		},
	})
}

// prepareGrant records who makes a grant, which no client can write, and stores the
// phase that reading would default to; see prepareTenant.
func prepareGrant(ctx context.Context, obj, old *tenancy.Grant) {
	if old != nil {
		return
	}
	obj.Status.Phase = tenancy.GrantPending
	if user, ok := genericapirequest.UserFrom(ctx); ok {
		by := &authenticationv1.UserInfo{Username: user.GetName(), UID: user.GetUID(), Groups: user.GetGroups()}
		for key, values := range user.GetExtra() {
			if by.Extra == nil {
				by.Extra = map[string]authenticationv1.ExtraValue{}
			}
			by.Extra[key] = values
		}
		obj.Status.GrantedBy = by
	}
}

// permitGrant refuses a grant of what the caller does not hold. What is granted is not
// changed later. One that server-side apply makes comes as a change of nothing.
func permitGrant(ctx context.Context, server kind.Server, obj, old *tenancy.Grant) error {
	caller, ok := genericapirequest.UserFrom(ctx)
	if ref := obj.Spec.RoleRef; !ok || old != nil && old.UID != "" || server.Roles == nil || ref != nil && ref.Kind != "Role" && ref.Kind != "ClusterRole" {
		return nil // validation refuses other roles; where roles are not known, no grant is put in force
	}
	guard := escalation.Guard{Authorizer: server.Authorizer, Roles: server.Roles, Until: endOfGrant(obj)}
	err := guard.Pass(ctx, caller, genericapirequest.NamespaceValue(ctx), obj.Spec.RoleRef, obj.Spec.Rules)
	if more := (escalation.Error{}); errors.As(err, &more) {
		return apierrors.NewForbidden(tenancy.Resource("grants"), obj.Name, err)
	}
	return err
}

// endOfGrant returns when a new grant ends; zero: when it is deleted.
func endOfGrant(obj *tenancy.Grant) time.Time {
	switch {
	case obj.Spec.ExpiresAt != nil:
		return obj.Spec.ExpiresAt.Time
	case obj.Spec.Duration != nil:
		return time.Now().Add(obj.Spec.Duration.Duration)
	default:
		return time.Time{}
	}
}

func role(ref *rbacv1.RoleRef) string {
	if ref == nil {
		return "<rules>"
	}
	return ref.Kind + "/" + ref.Name
}

// expires prints the time left, by the status if the grant was activated.
func expires(g *tenancy.Grant) string {
	end := g.Status.ExpiresAt
	switch {
	case end != nil:
	case g.Spec.ExpiresAt != nil:
		end = g.Spec.ExpiresAt
	case g.Spec.Duration != nil:
		return duration.HumanDuration(g.Spec.Duration.Duration) + " after activation"
	default:
		return "<never>"
	}
	if end.Before(&metav1.Time{Time: time.Now()}) {
		return duration.HumanDuration(time.Since(end.Time)) + " ago"
	}
	return duration.HumanDuration(time.Until(end.Time))
}
