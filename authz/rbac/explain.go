// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rbac

import (
	"cmp"
	"maps"
	"math"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// Part is a part of a request that a rule can allow or not.
type Part string

// The parts of a request.
const (
	PartVerb     Part = "verb"
	PartGroup    Part = "API group"
	PartResource Part = "resource"
	PartName     Part = "name"
	PartPath     Part = "path"
)

// Candidate is a grant of the user who asks, with the rule of it that comes nearest to
// allowing the request.
type Candidate struct {
	Grant *Grant
	// Rule is nil if the role has none, or is not known.
	Rule *rbacv1.PolicyRule
	// Misses are the parts of the request that the rule does not allow. With a rule, none
	// means that it allows the request.
	Misses []Part
	// Err says why the role is not known.
	Err error
}

// Allows says whether the request is allowed by this grant.
func (c *Candidate) Allows() bool { return c.Rule != nil && len(c.Misses) == 0 }

// distance is how far the grant is from allowing the request.
func (c *Candidate) distance() int {
	if c.Rule == nil {
		return math.MaxInt
	}
	return distance(c.Misses)
}

// distance says how far a rule is from allowing a request: one about the same resource
// is nearer than one with the same verb.
func distance(misses []Part) int {
	weights := map[Part]int{PartName: 1, PartVerb: 2, PartResource: 4, PartPath: 4, PartGroup: 8}
	sum := 0
	for _, part := range misses {
		sum += weights[part]
	}
	return sum
}

// Explain returns all grants that concern a request, the nearest first. Those that allow
// it are in the order in which they are asked.
func (a *Authorizer) Explain(request authorizer.Attributes) []Candidate {
	var out []Candidate
	a.Visit(request.GetUser(), request.GetNamespace(), func(g *Grant, rules []rbacv1.PolicyRule, err error) bool {
		best := Candidate{Grant: g, Err: err}
		for i := range rules {
			misses := Misses(&rules[i], request)
			if best.Rule == nil || distance(misses) < distance(best.Misses) {
				best.Rule, best.Misses = &rules[i], misses
			}
		}
		out = append(out, best)
		return true
	})
	slices.SortStableFunc(out, func(a, b Candidate) int { return cmp.Compare(a.distance(), b.distance()) })
	return out
}

// Misses returns the parts of a request that a rule does not allow, none if Allows is
// true.
func Misses(rule *rbacv1.PolicyRule, request authorizer.Attributes) []Part {
	var out []Part
	check := func(part Part, allowed bool) {
		if !allowed {
			out = append(out, part)
		}
	}
	check(PartVerb, allowsVerb(rule, request))
	if !request.IsResourceRequest() {
		check(PartPath, allowsPath(rule, request))
		return out
	}
	check(PartGroup, allowsGroup(rule, request))
	check(PartResource, allowsResource(rule, request))
	check(PartName, allowsName(rule, request))
	return out
}

// Source is a part of a role that is made of others.
type Source struct {
	// Role is the cluster role that has the rule.
	Role string
	// Selector is what the labels of that role match.
	Selector string
}

// Sources says how a rule came into an aggregated cluster role: from which other role,
// and if that is aggregated too, from which one it has it. A role that is not made of
// others has none.
func (a *Authorizer) Sources(role string, rule *rbacv1.PolicyRule) []Source {
	return a.sources(role, rule, map[string]bool{})
}

func (a *Authorizer) sources(name string, rule *rbacv1.PolicyRule, seen map[string]bool) []Source {
	role, err := a.clusterRoles.Get(name)
	if err != nil || role.AggregationRule == nil || seen[name] {
		return nil
	}
	seen[name] = true
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			continue
		}
		for _, part := range a.partsOf(selector, rule) {
			if part != name {
				return append([]Source{{Role: part, Selector: selector.String()}}, a.sources(part, rule, seen)...)
			}
		}
	}
	return nil
}

// partsOf are the names of the roles that a selector selects and that have a rule.
func (a *Authorizer) partsOf(selector labels.Selector, rule *rbacv1.PolicyRule) []string {
	found := map[string]bool{}
	selected, err := a.clusterRoles.List(selector)
	if err != nil {
		return nil // a list from memory has no errors
	}
	for _, role := range selected {
		if slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return apiequality.Semantic.DeepEqual(r, *rule) }) {
			found[role.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
