// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenancyadmission "github.com/stoa-project/stoa/admission/tenancy"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
	"github.com/stoa-project/stoa/registry/tenancy/members"
)

const (
	// terminating is the condition that says what a deletion waits for.
	terminating = "Terminating"
	// limited is the condition that says what of a tenant is not in force behind a host.
	limited = "LimitedByHost"
	// maxNames is how many namespaces the status names, and shown how many the condition.
	maxNames, shown = 100, 10
)

// syncTenant writes the status of a tenant, and lets it go when it has no namespaces.
func (c *controller) syncTenant(ctx context.Context, name string) error {
	api := c.own.TenancyV1().Tenants()
	// What is charged from now on is another version of the tenant, and what has been
	// charged is there once its requests are over: so no namespace is missed.
	known, err := api.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		c.forget(name)
		return nil
	}
	if err != nil {
		return err
	}
	if c.charges.After(func() { c.ofTenants.Add(name) }, tenancyadmission.Key(name)) {
		return nil
	}
	names, now, err := c.count(ctx, known)
	if err != nil {
		return err
	}
	t := known.DeepCopy()
	kept := slices.Contains(t.Finalizers, tenancy.NamespacesFinalizer)
	switch {
	case t.DeletionTimestamp == nil && !kept: // somebody took it away
		t.Finalizers = append(t.Finalizers, tenancy.NamespacesFinalizer)
		_, err = api.Update(ctx, t, metav1.UpdateOptions{FieldManager: manager})
		return again(err) // the change comes here
	case t.DeletionTimestamp != nil && kept && now.count == 0:
		t.Finalizers = slices.DeleteFunc(t.Finalizers, func(f string) bool { return f == tenancy.NamespacesFinalizer })
		_, err = api.Update(ctx, t, metav1.UpdateOptions{FieldManager: manager})
		return again(err)
	}
	status := &t.Status
	status.ObservedGeneration = t.Generation
	status.Namespaces = tenancyv1.TenantNamespacesStatus{Count: now.count, Names: names[:min(len(names), maxNames)]}
	switch {
	case t.DeletionTimestamp != nil:
		status.Phase = tenancyv1.TenantTerminating
		apimeta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: terminating, Status: metav1.ConditionTrue, Reason: "NamespacesRemain", ObservedGeneration: t.Generation, Message: remaining(names),
		})
	case t.Spec.Suspended:
		status.Phase = tenancyv1.TenantSuspended
	default:
		status.Phase = tenancyv1.TenantActive
	}
	c.tellLimits(t)
	if !apiequality.Semantic.DeepEqual(known.Status, *status) {
		_, err = api.UpdateStatus(ctx, t, metav1.UpdateOptions{FieldManager: manager})
	}
	if err == nil {
		c.remember(name, now)
	}
	return again(err)
}

// remember keeps what was written of the namespaces of a tenant, and has it looked at
// again when those that are waited for must be there.
func (c *controller) remember(tenant string, now tally) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.tallies != nil {
		c.tallies[tenant] = now
	}
	if len(now.until) > 0 {
		c.ofTenants.AddAfter(tenant, time.Until(now.until[0]))
	}
}

func (c *controller) forget(tenant string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.tallies, tenant)
}

// tellLimits says what of a tenant is not in force behind a host, and why.
func (c *controller) tellLimits(t *tenancyv1.Tenant) {
	var without []string
	if c.host != nil && limits(t) {
		var known bool
		if without, known = c.host.without(t); !known {
			return // what it says holds until then
		}
	}
	if len(without) == 0 {
		apimeta.RemoveStatusCondition(&t.Status.Conditions, limited)
		return
	}
	apimeta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
		Type: limited, Status: metav1.ConditionTrue, Reason: "BehindHost", ObservedGeneration: t.Generation, Message: strings.Join(without, "; "),
	})
}

// count returns the names of the namespaces of a tenant, in order, and how many there are
// with those that other servers have counted and not stored.
func (c *controller) count(ctx context.Context, tenant *tenancyv1.Tenant) ([]string, tally, error) {
	list, err := members.List(ctx, c.metadata, tenant.Name)
	if err != nil {
		return nil, tally{}, err
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	slices.Sort(names)
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.tallies == nil {
		return names, tally{count: int32(len(names))}, nil
	}
	return names, c.tallies[tenant.Name].look(tenant.Status.Namespaces.Count, list, time.Now(), c.request), nil
}

func remaining(names []string) string {
	if len(names) == 0 {
		return "waits until namespaces are there, or their requests over, that another server has counted"
	}
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return "waits until these namespaces are deleted: " + strings.Join(names[:min(len(names), shown)], ", ") + more
}

// again says what the error of a write means.
func again(err error) error {
	switch {
	case apierrors.IsConflict(err):
		return work.AgainError{}
	case apierrors.IsNotFound(err):
		return nil
	default:
		return err
	}
}
