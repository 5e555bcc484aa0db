// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
)

const (
	kind = "Grant"
	// finalizer keeps a grant until its binding is gone: who deletes it and waits knows
	// that the permission is taken back.
	finalizer = tenancy.GroupName + "/grant"
	// manager owns the fields that the controller writes.
	manager = "stoa-grants"
	// prefix begins the names of the roles and bindings of grants.
	prefix = "grant:"
	// inForce is the condition.
	inForce = "InForce"
	notHeld = "NotHeld"
	bound   = "The permission is bound to the subject."
)

// advance takes a grant one step further, and returns when it ends if that is known.
func (c *controller) advance(ctx context.Context, g *tenancyv1.Grant) (end *metav1.Time, err error) {
	over := func(t *metav1.Time) bool { return t != nil && !c.clock.Now().Before(t.Time) }
	switch {
	case g.DeletionTimestamp != nil:
		return nil, c.revoke(ctx, g)
	case g.Status.Phase == tenancyv1.GrantExpired || g.Status.Phase == tenancyv1.GrantRefused:
		return nil, c.release(ctx, g) // may have been left behind
	case g.Status.Phase == tenancyv1.GrantActive && !over(endOf(g)):
		return endOf(g), c.keep(ctx, g)
	case g.Status.Phase == tenancyv1.GrantActive || over(endOf(g)):
		return nil, c.expire(ctx, g)
	default:
		return nil, c.activate(ctx, g)
	}
}

// endOf returns when a grant ends, of what was said first if it was made shorter since;
// nil if it does not, or is not known before it is in force.
func endOf(g *tenancyv1.Grant) *metav1.Time {
	end := g.Spec.ExpiresAt
	if g.Spec.Duration != nil && g.Status.ActivatedAt != nil {
		end = new(metav1.NewTime(g.Status.ActivatedAt.Add(g.Spec.Duration.Duration)))
	}
	if said := g.Status.ExpiresAt; said != nil && (end == nil || said.Before(end)) {
		return said
	}
	return end
}

// activate puts a new grant in force if the grantor holds what it grants.
func (c *controller) activate(ctx context.Context, g *tenancyv1.Grant) error {
	begins := g.DeepCopy()
	begins.Status.ActivatedAt = new(metav1.NewTime(c.clock.Now().Truncate(time.Second)))
	err := c.confirm(ctx, begins)
	if lacks := (escalation.Error{}); errors.As(err, &lacks) {
		return c.refuse(ctx, g, lacks)
	}
	if err != nil {
		return fmt.Errorf("what is granted is not known: %w", err)
	}
	if err := c.hold(ctx, g); err != nil {
		return err
	}
	g.Status.ActivatedAt = begins.Status.ActivatedAt
	g.Status.Phase, g.Status.ObservedGeneration = tenancyv1.GrantActive, g.Generation
	g.Status.ExpiresAt = endOf(g)
	if err := c.write(ctx, g); err != nil {
		return err
	}
	return c.bindOrSay(ctx, g)
}

// refuse ends a grant whose grantor does not hold what it grants, and has not for a while:
// another server, which took the grant, may have heard earlier of what gives it to him.
func (c *controller) refuse(ctx context.Context, g *tenancyv1.Grant, why error) error {
	since := apimeta.FindStatusCondition(g.Status.Conditions, inForce)
	if since == nil {
		g.Status.ObservedGeneration = g.Generation
		c.setCondition(g, metav1.ConditionFalse, notHeld, why.Error())
		if err := c.write(ctx, g); err != nil {
			return err
		}
		return work.AgainError{Within: tick}
	}
	if c.clock.Since(since.LastTransitionTime.Time) < doubt {
		return work.AgainError{Within: tick}
	}
	c.end(g, tenancyv1.GrantRefused, notHeld, why.Error())
	if err := c.write(ctx, g); err != nil {
		return err
	}
	c.tell(ctx, g, corev1.EventTypeWarning, "Refused", "Refuse", why.Error())
	return nil
}

// hold has a grant stay until its binding is gone.
func (c *controller) hold(ctx context.Context, g *tenancyv1.Grant) error {
	if slices.Contains(g.Finalizers, finalizer) {
		return nil
	}
	g.Finalizers = append(g.Finalizers, finalizer)
	now, err := c.own.TenancyV1().Grants(g.Namespace).Update(ctx, g, metav1.UpdateOptions{FieldManager: manager})
	if err != nil {
		return err
	}
	*g = *now
	return nil
}

// confirm says whether the grantor may give away what the grant does, for as long.
func (c *controller) confirm(ctx context.Context, g *tenancyv1.Grant) error {
	by := g.Status.GrantedBy
	if by == nil {
		return errNobody
	}
	who := &user.DefaultInfo{Name: by.Username, UID: by.UID, Groups: by.Groups, Extra: map[string][]string{}}
	for key, values := range by.Extra {
		who.Extra[key] = values
	}
	guard := c.guard
	if end := endOf(g); end != nil {
		guard.Until = end.Time
	}
	return guard.Pass(ctx, who, g.Namespace, g.Spec.RoleRef, g.Spec.Rules)
}

// keep repairs the binding of a grant that is in force, and writes down that it ends
// sooner.
func (c *controller) keep(ctx context.Context, g *tenancyv1.Grant) error {
	if err := c.hold(ctx, g); err != nil { // somebody may have taken the finalizer away
		return err
	}
	before := g.Status.ExpiresAt
	end := endOf(g)
	if !end.Equal(before) || g.Status.ObservedGeneration != g.Generation {
		g.Status.ObservedGeneration, g.Status.ExpiresAt = g.Generation, end
		if err := c.write(ctx, g); err != nil {
			return err
		}
		if !end.Equal(before) {
			c.tell(ctx, g, corev1.EventTypeNormal, "Shortened", "Bind", fmt.Sprintf("%s of %s ends at %s", role(g), subject(g), end.UTC().Format(time.RFC3339)))
		}
	}
	return c.bindOrSay(ctx, g)
}

// bindOrSay binds, and says in the status that it did or why it cannot. The words of an
// error are not written again while its reason stays: they may differ each time.
func (c *controller) bindOrSay(ctx context.Context, g *tenancyv1.Grant) error {
	err := c.bind(ctx, g)
	status, reason, message := metav1.ConditionTrue, "Bound", bound
	var again work.AgainError
	var taken takenError
	switch {
	case err == nil:
	case errors.As(err, &again), apierrors.IsConflict(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), ctx.Err() != nil:
		return err
	case errors.As(err, &taken):
		status, reason, message = metav1.ConditionFalse, "NameTaken", err.Error()
		err = work.AgainError{} // which the status tells
	default:
		status, reason, message = metav1.ConditionFalse, cmp.Or(string(apierrors.ReasonForError(err)), "NotBound"), err.Error()
	}
	known := apimeta.FindStatusCondition(g.Status.Conditions, inForce)
	if known != nil && known.Status == status && known.Reason == reason && known.ObservedGeneration == g.Generation {
		return err
	}
	begins := status == metav1.ConditionTrue && !isBound(g)
	c.setCondition(g, status, reason, message)
	if err := c.write(ctx, g); err != nil {
		return err
	}
	if begins {
		until := "until it is deleted"
		if end := g.Status.ExpiresAt; end != nil {
			until = "until " + end.UTC().Format(time.RFC3339)
		}
		c.tell(ctx, g, corev1.EventTypeNormal, "Activated", "Bind", fmt.Sprintf("%s of %s is granted to %s by %s, %s", role(g), g.Namespace, subject(g), g.Status.GrantedBy.Username, until))
	}
	return err
}

// expire takes back what a grant gave, whose time is over.
func (c *controller) expire(ctx context.Context, g *tenancyv1.Grant) error {
	if err := c.unbind(ctx, g); err != nil {
		return err
	}
	g.Status.ExpiresAt = endOf(g)
	c.end(g, tenancyv1.GrantExpired, "Expired", "The time of the grant is over.")
	if err := c.write(ctx, g); err != nil {
		return err
	}
	c.tell(ctx, g, corev1.EventTypeNormal, "Expired", "Unbind", fmt.Sprintf("%s of %s is over", role(g), subject(g)))
	return nil
}

// revoke takes back what a grant gave that is being deleted.
func (c *controller) revoke(ctx context.Context, g *tenancyv1.Grant) error {
	if !slices.Contains(g.Finalizers, finalizer) {
		return nil
	}
	if err := c.release(ctx, g); err != nil {
		return err
	}
	if g.Status.Phase == tenancyv1.GrantActive {
		c.tell(ctx, g, corev1.EventTypeNormal, "Revoked", "Unbind", fmt.Sprintf("%s is taken back from %s", role(g), subject(g)))
	}
	return nil
}

// release makes sure that nothing is bound, and lets the grant go.
func (c *controller) release(ctx context.Context, g *tenancyv1.Grant) error {
	if !slices.Contains(g.Finalizers, finalizer) {
		return nil
	}
	if err := c.unbind(ctx, g); err != nil {
		return err
	}
	g.Finalizers = slices.DeleteFunc(slices.Clone(g.Finalizers), func(f string) bool { return f == finalizer })
	_, err := c.own.TenancyV1().Grants(g.Namespace).Update(ctx, g, metav1.UpdateOptions{FieldManager: manager})
	return err
}

// isBound says whether the status tells that the permission is bound.
func isBound(g *tenancyv1.Grant) bool {
	return apimeta.IsStatusConditionTrue(g.Status.Conditions, inForce)
}

// end sets the last phase of a grant.
func (c *controller) end(g *tenancyv1.Grant, phase tenancyv1.GrantPhase, reason, message string) {
	g.Status.Phase, g.Status.ObservedGeneration = phase, g.Generation
	c.setCondition(g, metav1.ConditionFalse, reason, message)
}

func (c *controller) setCondition(g *tenancyv1.Grant, status metav1.ConditionStatus, reason, message string) {
	const longest = 32768 // of the message of a condition
	if len(message) > longest {
		message = message[:longest]
	}
	apimeta.SetStatusCondition(&g.Status.Conditions, metav1.Condition{
		Type: inForce, Status: status, Reason: reason, Message: message, ObservedGeneration: g.Generation,
		LastTransitionTime: metav1.NewTime(c.clock.Now()),
	})
}

// write writes the status, and has g be what is stored then.
func (c *controller) write(ctx context.Context, g *tenancyv1.Grant) error {
	now, err := c.own.TenancyV1().Grants(g.Namespace).UpdateStatus(ctx, g, metav1.UpdateOptions{FieldManager: manager})
	if err != nil {
		return err
	}
	*g = *now
	klog.FromContext(ctx).V(2).Info("Changed a grant", "grant", klog.KObj(g), "phase", g.Status.Phase)
	return nil
}

func (c *controller) tell(ctx context.Context, g *tenancyv1.Grant, kindOfEvent, reason, action, note string) {
	c.teller.Tell(ctx, corev1.ObjectReference{
		APIVersion: tenancyv1.GroupVersion.String(), Kind: kind, Namespace: g.Namespace, Name: g.Name, UID: g.UID, ResourceVersion: g.ResourceVersion,
	}, kindOfEvent, reason, action, note)
}

func subject(g *tenancyv1.Grant) string { return g.Spec.Subject.Kind + " " + g.Spec.Subject.Name }

func role(g *tenancyv1.Grant) string {
	if g.Spec.RoleRef == nil {
		return "a list of rules"
	}
	return g.Spec.RoleRef.Kind + " " + g.Spec.RoleRef.Name
}
