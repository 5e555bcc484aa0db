// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package policystatus is the controller that says in the status of each
// ValidatingAdmissionPolicy what is wrong with its expressions, as far as the types of the
// objects tell that it is about. A policy works the same with it and without.
package policystatus

import (
	"context"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	applyadmissionregistrationv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"k8s.io/client-go/restmapper"

	"github.com/stoa-project/stoa/apis/admissionregistration"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "validatingadmissionpolicy-status-controller"
	// manager is that of the fields of the status, and of the queue in metrics. It is
	// upstream's.
	manager = "validatingadmissionpolicy-status"
)

type controller struct{ server work.Server }

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		c := controller{server}
		queue := work.NewQueue(manager, c.sync)
		var following sync.WaitGroup
		following.Go(func() {
			server.Follow(ctx, work.Watch{
				Resource: admissionregistrationv1.SchemeGroupVersion.WithResource("validatingadmissionpolicies"),
				Seen: func(obj metav1.Object) {
					if policy, ok := work.Object(obj).(*admissionregistration.ValidatingAdmissionPolicy); ok && outdated((*admissionregistrationv1.ValidatingAdmissionPolicy)(policy)) {
						queue.Add(obj.GetName())
					}
				},
			})
		})
		queue.Run(ctx)
		following.Wait()
	}
}

// outdated says whether a status is about what the policy was.
func outdated(policy *admissionregistrationv1.ValidatingAdmissionPolicy) bool {
	return policy.Status.ObservedGeneration < policy.Generation
}

// sync looks at the expressions of a policy.
func (c controller) sync(ctx context.Context, name string) error {
	policies := c.server.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	policy, err := policies.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil || !outdated(policy):
		return err
	}
	// What the server serves is asked for each time, and not kept: policies change seldom.
	discovery := c.server.Client.Discovery()
	groups, err := restmapper.GetAPIGroupResources(discovery)
	if err != nil && len(groups) == 0 {
		return err
	}
	checker := validating.TypeChecker{
		SchemaResolver: &resolver.ClientDiscoveryResolver{Discovery: discovery}, RestMapper: restmapper.NewDiscoveryRESTMapper(groups),
	}
	found := applyadmissionregistrationv1.TypeChecking()
	for _, warning := range checker.Check(policy) {
		found.WithExpressionWarnings(applyadmissionregistrationv1.ExpressionWarning().WithFieldRef(warning.FieldRef).WithWarning(warning.Warning))
	}
	status := applyadmissionregistrationv1.ValidatingAdmissionPolicyStatus().WithObservedGeneration(policy.Generation).WithTypeChecking(found)
	_, err = policies.ApplyStatus(ctx, applyadmissionregistrationv1.ValidatingAdmissionPolicy(name).WithStatus(status), metav1.ApplyOptions{FieldManager: manager, Force: true})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
