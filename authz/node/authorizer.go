// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/authz/rbac"
)

// patience is how long a request waits for the graph, which is young when a node first
// asks. Admission plugins wait as long.
const patience = 10 * time.Second

// errUnknown is the answer while nobody knows yet. It is no refusal: the node may try
// again.
var errUnknown = errors.New("it is not known yet which objects belong to the node")

// Authorizer allows nodes what is theirs. It denies nothing: what it does not allow is
// for others to decide.
type Authorizer struct {
	authorizer.Authorizer

	rules   []rbacv1.PolicyRule
	sources []Source
	graph   *graph
	ask     func()        // closes asked
	asked   chan struct{} // closed when somebody needs the graph
	known   chan struct{} // closed when the graph has what was there first
}

var _ authorizer.RuleResolver = (*Authorizer)(nil)

// New returns an authorizer for which Run must be called. rules hold for all nodes
// where their own access is not narrower; sources are the resources that say what a
// node may read.
func New(rules []rbacv1.PolicyRule, sources []Source) *Authorizer {
	a := &Authorizer{rules: rules, sources: sources, graph: newGraph(), asked: make(chan struct{}), known: make(chan struct{})}
	a.ask = sync.OnceFunc(func() { close(a.asked) })
	a.Authorizer = authorizer.AuthorizerFunc(a.decide)
	return a
}

// Run follows the sources from when a node first needs them until ctx ends.
func (a *Authorizer) Run(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-a.asked:
	}
	var running sync.WaitGroup
	defer running.Wait()
	var all []<-chan struct{}
	for _, s := range a.sources {
		all = append(all, s.start(ctx, a.graph, &running))
	}
	for _, first := range all {
		select {
		case <-ctx.Done():
			return
		case <-first:
		}
	}
	close(a.known)
}

// wait returns once the graph is known.
func (a *Authorizer) wait(ctx context.Context) error {
	select {
	case <-a.known:
		return nil
	default:
	}
	a.ask()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-a.known:
		return nil
	case <-ctx.Done():
		return errUnknown
	}
}

// RulesFor implements authorizer.RuleResolver. What a node may do cannot be listed.
func (a *Authorizer) RulesFor(_ context.Context, who user.Info, _ string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	if _, isNode := Identity(who); isNode {
		return nil, nil, true, errors.New("node authorizer does not support user rule resolution")
	}
	return nil, nil, false, nil
}

func (a *Authorizer) decide(ctx context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	name, isNode := Identity(attributes.GetUser())
	if !isNode {
		return authorizer.DecisionNoOpinion, "", nil
	}
	r := &request{Attributes: attributes, node: name}
	allowed, reason := r.judge()
	if allowed == byRules {
		allowed = no
		if slices.ContainsFunc(a.rules, func(rule rbacv1.PolicyRule) bool { return rbac.Allows(&rule, attributes) }) {
			allowed = yes
		}
	}
	if allowed == ifRelated {
		allowed = no
		if err := a.wait(ctx); err != nil {
			return authorizer.DecisionNoOpinion, "", err
		}
		if a.graph.allows(name, idOf(r.kind, attributes.GetNamespace(), attributes.GetName())) {
			allowed = yes
		} else {
			reason = "no relationship found between node '" + name + "' and this object"
		}
	}
	if allowed == yes {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, reason, nil
}
