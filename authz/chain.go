// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package authz asks the modes of authorization one after the other, as flags or an
// AuthorizationConfiguration list them. The modes are in the packages below it and in
// k8s.io/apiserver.
package authz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/load"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/cel"
	decisions "k8s.io/apiserver/pkg/authorization/metrics"
	"k8s.io/apiserver/pkg/authorization/union"
	"k8s.io/apiserver/pkg/server/options/authorizationconfig/metrics"

	"github.com/stoa-project/stoa/reload"
)

// Mode is an authorizer that can list what it allows.
type Mode interface {
	authorizer.Authorizer
	authorizer.RuleResolver
}

// Chain is a list of modes that can be replaced while it is used. The group
// system:masters may do everything, whatever the modes are.
type Chain struct {
	// modes are those that a configuration may name, but for webhooks.
	modes   map[string]Mode
	server  string
	current atomic.Pointer[members]
}

// members are what a configuration makes.
type members struct {
	authorizer.Authorizer
	authorizer.RuleResolver
}

var _ Mode = (*Chain)(nil)

// NewChain returns a chain of what a configuration lists. modes are those that there
// are beside webhooks, by the type that the configuration calls them. server is the ID
// of the server in metrics.
func NewChain(modes map[string]Mode, server string, c *apiserver.AuthorizationConfiguration) (*Chain, error) {
	chain := &Chain{modes: modes, server: server}
	return chain, chain.replace(c)
}

func (c *Chain) replace(configuration *apiserver.AuthorizationConfiguration) error {
	// No authorizer of a configuration can have a name with a colon.
	all := []union.NamedAuthorizer{{
		AuthorizerName: user.SystemPrivilegedGroup, Authorizer: authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup),
	}}
	var rules []authorizer.RuleResolver
	for _, a := range configuration.Authorizers {
		mode := c.modes[string(a.Type)]
		if a.Type == apiserver.TypeWebhook {
			webhook, err := newWebhook(a)
			if err != nil {
				return fmt.Errorf("authorizer %q: %w", a.Name, err)
			}
			mode = webhook
		}
		if mode == nil {
			return fmt.Errorf("authorizer %q: there is no %s in this server", a.Name, a.Type)
		}
		counted := decisions.InstrumentedAuthorizer(string(a.Type), a.Name, mode)
		all, rules = append(all, union.NamedAuthorizer{AuthorizerName: a.Name, Authorizer: counted}), append(rules, mode)
	}
	asked, err := union.New(all...)
	if err != nil {
		return err
	}
	c.current.Store(&members{asked, union.NewRuleResolvers(rules...)})
	return nil
}

// Authorize implements authorizer.Authorizer.
func (c *Chain) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	return c.current.Load().Authorize(ctx, a)
}

// ConditionsAwareAuthorize implements authorizer.Authorizer.
func (c *Chain) ConditionsAwareAuthorize(ctx context.Context, a authorizer.Attributes) authorizer.ConditionsAwareDecision {
	return c.current.Load().ConditionsAwareAuthorize(ctx, a)
}

// EvaluateConditions implements authorizer.Authorizer.
func (c *Chain) EvaluateConditions(ctx context.Context, decision authorizer.ConditionsAwareDecision, data authorizer.ConditionsData) (authorizer.Decision, string, error) {
	return c.current.Load().EvaluateConditions(ctx, decision, data)
}

// RulesFor implements authorizer.RuleResolver.
func (c *Chain) RulesFor(ctx context.Context, who user.Info, namespace string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	return c.current.Load().RulesFor(ctx, who, namespace)
}

// Follow replaces the modes by those of a file whenever it changes, until ctx ends. A
// file with mistakes changes nothing, and is told in the log and in metrics. used is
// what the modes are from.
func (c *Chain) Follow(ctx context.Context, flag, path string, known []string, used []byte) {
	metrics.RegisterMetrics()
	metrics.RecordAuthorizationConfigLastConfigInfo(c.server, string(used))
	file := reload.File{
		Flag: flag, Path: path,
		Use: func(_ context.Context, content []byte) error { return c.reload(content, known) },
		Done: func(content []byte, err error) {
			if err != nil {
				metrics.RecordAuthorizationConfigAutomaticReloadFailure(c.server)
				return
			}
			metrics.RecordAuthorizationConfigAutomaticReloadSuccess(c.server, string(content))
		},
	}
	file.Follow(ctx, reload.Sum(used))
}

func (c *Chain) reload(data []byte, known []string) error {
	configuration, err := Parse(data, known)
	if err != nil {
		return err
	}
	return c.replace(configuration)
}

// Parse reads an AuthorizationConfiguration whose authorizers are of known types. An
// error names the field.
func Parse(data []byte, known []string) (*apiserver.AuthorizationConfiguration, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("is empty")
	}
	configuration, err := load.LoadFromData(data)
	if err != nil {
		return nil, err
	}
	errs := validation.ValidateAuthorizationConfiguration(cel.NewDefaultCompiler(), field.NewPath(""), configuration,
		sets.New(append(slices.Clone(known), string(apiserver.TypeWebhook))...), sets.New(string(apiserver.TypeWebhook)))
	return configuration, errs.ToAggregate()
}
