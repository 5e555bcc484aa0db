// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"slices"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	authzunion "k8s.io/apiserver/pkg/authorization/union"
)

// The modes of authorization that the server knows.
const (
	ModeAlwaysAllow = "AlwaysAllow"
	ModeAlwaysDeny  = "AlwaysDeny"
	// ModeRBAC has no rules but those by which anyone may look at health and version, and the known at discovery.
	ModeRBAC = "RBAC"
)

// AuthorizationOptions say who may do what. Administrators may do everything.
type AuthorizationOptions struct {
	// Modes are asked in this order, until one allows or denies. Those that the
	// server does not know allow nothing. Empty: ModeRBAC.
	Modes []string
}

// authorizer returns one that asks the modes.
func (o *AuthorizationOptions) authorizer() (authorizer.Authorizer, error) {
	all := []authzunion.NamedAuthorizer{{
		AuthorizerName: "masters", Authorizer: authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup),
	}}
	modes := o.Modes
	if len(modes) == 0 {
		modes = []string{ModeRBAC}
	}
	for _, mode := range modes {
		switch mode {
		case ModeAlwaysAllow:
			all = append(all, authzunion.NamedAuthorizer{AuthorizerName: mode, Authorizer: authorizerfactory.NewAlwaysAllowAuthorizer()})
		case ModeAlwaysDeny:
			all = append(all, authzunion.NamedAuthorizer{AuthorizerName: mode, Authorizer: authorizerfactory.NewAlwaysDenyAuthorizer()})
		case ModeRBAC:
			open, err := readers()
			if err != nil {
				return nil, err
			}
			all = append(all, open...)
		}
	}
	return authzunion.New(all...)
}

// readers lets everybody read the open paths, and those who are known discovery.
func readers() ([]authzunion.NamedAuthorizer, error) {
	open, err := path.NewAuthorizer(openPaths)
	if err != nil {
		return nil, err
	}
	discovery, err := path.NewAuthorizer(discoveryPaths)
	if err != nil {
		return nil, err
	}
	known := authorizer.AuthorizerFunc(func(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		if !slices.Contains(a.GetUser().GetGroups(), user.AllAuthenticated) {
			return authorizer.DecisionNoOpinion, "", nil
		}
		return discovery.Authorize(ctx, a)
	})
	return []authzunion.NamedAuthorizer{
		{AuthorizerName: "paths", Authorizer: open}, {AuthorizerName: "discovery", Authorizer: known},
	}, nil
}
