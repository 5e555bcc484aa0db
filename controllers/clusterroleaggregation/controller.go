// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package clusterroleaggregation is the controller that gives cluster roles with an
// aggregation rule the rules of those that it selects. The roles admin, edit and view
// are made of others in this way.
package clusterroleaggregation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	rbacapply "k8s.io/client-go/applyconfigurations/rbac/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/controllers/work"
)

// Name is that of the controller, and of the manager of the fields that it writes.
const Name = "clusterrole-aggregation-controller"

// all is the one key of the queue.
const all = "all"

type controller struct {
	client kubernetes.Interface
	roles  rbaclisters.ClusterRoleLister
}

// New returns the controller: a function that works until its context ends. The
// informers must be started after New.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory) func(context.Context) {
	informer := factory.Rbac().V1().ClusterRoles()
	shared := informer.Informer() // the factory starts those that were asked for
	return func(ctx context.Context) {
		c := &controller{client: client, roles: informer.Lister()}
		queue := work.NewQueue(Name, c.sync)
		// A role may be part of any other one, and may have been until now.
		queue.Listen(shared, cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { queue.Add(all) },
			UpdateFunc: func(any, any) { queue.Add(all) },
			DeleteFunc: func(any) { queue.Add(all) },
		})
		queue.Run(ctx)
	}
}

// sync gives all roles that are made of others the rules that they should have.
func (c *controller) sync(ctx context.Context, _ string) error {
	roles, err := c.roles.List(labels.Everything())
	if err != nil {
		return err
	}
	var errs []error
	for _, role := range roles {
		if role.AggregationRule != nil {
			errs = append(errs, c.aggregate(ctx, role))
		}
	}
	return errors.Join(errs...)
}

func (c *controller) aggregate(ctx context.Context, role *rbacv1.ClusterRole) error {
	rules, err := c.rules(role)
	if err != nil || apiequality.Semantic.DeepEqual(rules, role.Rules) {
		return err
	}
	wanted := rbacapply.ClusterRole(role.Name)
	for i := range rules {
		r := &rules[i]
		wanted.WithRules(rbacapply.PolicyRule().WithVerbs(r.Verbs...).WithAPIGroups(r.APIGroups...).WithResources(r.Resources...).
			WithResourceNames(r.ResourceNames...).WithNonResourceURLs(r.NonResourceURLs...))
	}
	_, err = c.client.RbacV1().ClusterRoles().Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: Name, Force: true})
	if err != nil {
		return fmt.Errorf("cluster role %q: %w", role.Name, err)
	}
	return nil
}

// rules are those of the roles that one selects, in the order of their names, each
// rule once.
func (c *controller) rules(of *rbacv1.ClusterRole) ([]rbacv1.PolicyRule, error) {
	var out []rbacv1.PolicyRule
	for i := range of.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&of.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			return nil, fmt.Errorf("cluster role %q: %w", of.Name, err)
		}
		parts, err := c.roles.List(selector)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(parts, func(a, b *rbacv1.ClusterRole) int { return cmp.Compare(a.Name, b.Name) })
		for _, part := range parts {
			if part.Name == of.Name {
				continue
			}
			for _, rule := range part.Rules {
				if !slices.ContainsFunc(out, func(r rbacv1.PolicyRule) bool { return apiequality.Semantic.DeepEqual(r, rule) }) {
					out = append(out, rule)
				}
			}
		}
	}
	return out, nil
}
