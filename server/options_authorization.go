// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	authzunion "k8s.io/apiserver/pkg/authorization/union"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"

	"github.com/stoa-project/stoa/authz/abac"
	"github.com/stoa-project/stoa/authz/rbac"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/bootstrap"
)

// The modes of authorization that the server knows.
const (
	// ModeABAC allows what the lines of a file allow.
	ModeABAC        = "ABAC"
	ModeAlwaysAllow = "AlwaysAllow"
	ModeAlwaysDeny  = "AlwaysDeny"
	// ModeRBAC allows what roles allow. Where they are not served, the default cluster
	// roles and bindings of Kubernetes hold.
	ModeRBAC = "RBAC"
)

// Modes are those that the server knows.
func Modes() []string { return []string{ModeABAC, ModeAlwaysAllow, ModeAlwaysDeny, ModeRBAC} }

// AuthorizationOptions say who may do what. The group system:masters may do
// everything.
type AuthorizationOptions struct {
	// Modes are asked in this order, until one allows or denies.
	Modes []string
	// PolicyFile has the lines of ModeABAC. It is read once.
	PolicyFile string
}

func newAuthorizationOptions() *AuthorizationOptions {
	return &AuthorizationOptions{Modes: []string{ModeRBAC}}
}

// AddFlags adds kube-apiserver's flags.
func (o *AuthorizationOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.Modes, "authorization-mode", o.Modes,
		"Ordered list of plug-ins to do authorization on secure port. Comma-delimited list of: "+strings.Join(Modes(), ",")+".")
	flags.StringVar(&o.PolicyFile, "authorization-policy-file", o.PolicyFile, "File with authorization policy in json line by line format, used with --authorization-mode=ABAC, on the secure port.")
}

// Validate reports everything that is wrong with the options and the file.
func (o *AuthorizationOptions) Validate() []error {
	errs := o.ValidateModes(Modes())
	if slices.Contains(o.Modes, ModeABAC) && o.PolicyFile != "" {
		if _, err := abac.NewFromFile(o.PolicyFile); err != nil {
			errs = append(errs, fmt.Errorf("--authorization-policy-file: %w", err))
		}
	}
	return errs
}

// ValidateModes reports what is wrong with the modes, if these are the known ones.
func (o *AuthorizationOptions) ValidateModes(known []string) []error {
	var errs []error
	if len(o.Modes) == 0 {
		errs = append(errs, errors.New("at least one authorization-mode must be passed"))
	}
	for _, mode := range o.Modes {
		if !slices.Contains(known, mode) {
			errs = append(errs, fmt.Errorf("authorization-mode %q is not a valid mode", mode))
		}
	}
	if sorted := slices.Sorted(slices.Values(o.Modes)); len(slices.Compact(sorted)) != len(o.Modes) {
		errs = append(errs, fmt.Errorf("authorization-mode %q has mode specified more than once", o.Modes))
	}
	switch used := slices.Contains(o.Modes, ModeABAC); {
	case used && o.PolicyFile == "":
		errs = append(errs, errors.New("authorization-mode ABAC's authorization policy file not passed"))
	case !used && o.PolicyFile != "":
		errs = append(errs, errors.New("cannot specify --authorization-policy-file without mode ABAC"))
	}
	return errs
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
		case ModeABAC:
			policies, err := abac.NewFromFile(c.Authorization.PolicyFile)
			if err != nil {
				return nil, fmt.Errorf("--authorization-policy-file: %w", err)
			}
			add(mode, policies)
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
