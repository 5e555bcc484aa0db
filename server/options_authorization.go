// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	authzunion "k8s.io/apiserver/pkg/authorization/union"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"

	"github.com/stoa-project/stoa/authz/rbac"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/bootstrap"
)

// The modes of authorization that the server knows.
const (
	ModeAlwaysAllow = "AlwaysAllow"
	ModeAlwaysDeny  = "AlwaysDeny"
	// ModeRBAC allows what roles allow. Where they are not served, the default cluster
	// roles and bindings of Kubernetes hold.
	ModeRBAC = "RBAC"
)

// Modes are those that the server knows.
func Modes() []string { return []string{ModeAlwaysAllow, ModeAlwaysDeny, ModeRBAC} }

// AuthorizationOptions say who may do what. The group system:masters may do
// everything.
type AuthorizationOptions struct {
	// Modes are asked in this order, until one allows or denies. Those that the
	// server does not know allow nothing.
	Modes []string
}

func newAuthorizationOptions() *AuthorizationOptions {
	return &AuthorizationOptions{Modes: []string{ModeRBAC}}
}

// authorize sets who may do what, and returns who knows about roles.
func (c CompletedOptions) authorize(config *genericapiserver.Config, factory informers.SharedInformerFactory) (kind.RoleResolver, error) {
	all := []authzunion.NamedAuthorizer{{
		AuthorizerName: "masters", Authorizer: authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup),
	}}
	roles, err := c.roles(config, factory)
	if err != nil {
		return nil, err
	}
	var rules []authorizer.RuleResolver
	add := func(mode string, a interface {
		authorizer.Authorizer
		authorizer.RuleResolver
	}) {
		all, rules = append(all, authzunion.NamedAuthorizer{AuthorizerName: mode, Authorizer: a}), append(rules, a)
	}
	for _, mode := range c.Authorization.Modes {
		switch mode {
		case ModeAlwaysAllow:
			add(mode, authorizerfactory.NewAlwaysAllowAuthorizer())
		case ModeAlwaysDeny:
			add(mode, authorizerfactory.NewAlwaysDenyAuthorizer())
		case ModeRBAC:
			add(mode, roles)
		}
	}
	if config.Authorization.Authorizer, err = authzunion.New(all...); err != nil {
		return nil, fmt.Errorf("authorization: %w", err)
	}
	config.RuleResolver = authzunion.NewRuleResolvers(rules...)
	return roles, nil
}

// roles returns what knows the roles that are stored, or the default ones if none are.
func (c CompletedOptions) roles(config *genericapiserver.Config, factory informers.SharedInformerFactory) (*rbac.Authorizer, error) {
	v1 := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	if servesAll(c.Groups, config, []schema.GroupVersionResource{
		v1.WithResource("roles"), v1.WithResource("rolebindings"), v1.WithResource("clusterroles"), v1.WithResource("clusterrolebindings"),
	}) {
		return rbac.New(factory.Rbac().V1())
	}
	roles, bindings, err := bootstrap.ClusterAccess()
	if err != nil {
		return nil, err
	}
	return rbac.NewFixed(roles, bindings)
}
