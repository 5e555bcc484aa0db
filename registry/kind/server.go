// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/client-go/rest"
)

// Server is what storage may need of the server that it is served by.
type Server struct {
	// Options say how objects are stored.
	Options generic.RESTOptionsGetter
	// Etcd says of each etcd server what is wrong with it; nil if nothing is.
	Etcd []func(context.Context) error
	// Gates are the feature gates by name, which validation by tags asks for.
	Gates map[string]bool
	// EventTTL is how long objects of kinds that expire are kept.
	EventTTL time.Duration
	// Authorizer decides about requests, and Rules lists what it allows somebody.
	// Rules is nil if nobody can tell.
	Authorizer authorizer.Authorizer
	Rules      authorizer.RuleResolver
	// Roles resolves the roles of the group rbac.authorization.k8s.io.
	Roles RoleResolver
	// Authenticator says who sent a request. Audiences are those that a token is for
	// when it does not name any.
	Authenticator authenticator.Request
	Audiences     authenticator.Audiences
	// Loopback is how to be a client of the server itself, who may do everything, for
	// objects of other groups. Nil if there is no way.
	Loopback *rest.Config
}

// RoleResolver knows roles and who has them.
type RoleResolver interface {
	// Rules returns the rules of the role that a binding in a namespace names; a
	// cluster role binding is in none. The error is that of a get.
	Rules(ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, error)
	// PolicyRules returns the rules that hold for a user in a namespace. With an error
	// they are those that are known.
	PolicyRules(who user.Info, namespace string) ([]rbacv1.PolicyRule, error)
}
