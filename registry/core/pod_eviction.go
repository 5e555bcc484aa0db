// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"
	policyclient "k8s.io/client-go/kubernetes/typed/policy/v1"
	"k8s.io/client-go/util/retry"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/policy"
	"github.com/stoa-project/stoa/registry/kind"
)

// maxDisruptedPods is how many evictions may be allowed that the controller of the
// budget has not seen yet.
const maxDisruptedPods = 2000

// evictionRetry is for conflicts with others that evict or change pods. It is as
// long as upstream's; clients reckon with it.
func evictionRetry() wait.Backoff {
	return wait.Backoff{Steps: 20, Duration: 500 * time.Millisecond, Factor: 1, Jitter: 0.1}
}

// evictionREST serves create on pods/eviction: a delete that asks the disruption
// budget of the pod first.
type evictionREST struct {
	pods    *kind.REST
	status  rest.Updater
	budgets policyclient.PodDisruptionBudgetsGetter
}

var (
	_ rest.NamedCreater             = (*evictionREST)(nil)
	_ rest.GroupVersionKindProvider = (*evictionREST)(nil)
)

func (r *evictionREST) New() runtime.Object { return &policy.Eviction{} }

// Destroy does nothing: the main endpoint destroys the store.
func (r *evictionREST) Destroy() {}

// GroupVersionKind implements rest.GroupVersionKindProvider.
func (r *evictionREST) GroupVersionKind(schema.GroupVersion) schema.GroupVersionKind {
	return policyv1.SchemeGroupVersion.WithKind("Eviction")
}

// Create implements rest.NamedCreater.
func (r *evictionREST) Create(ctx context.Context, name string, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	eviction := obj.(*policy.Eviction)
	if name != eviction.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	deletion, err := deletionOf(eviction, options)
	if err != nil {
		return nil, err
	}
	if validate != nil {
		if err := validate(ctx, eviction.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	pod, done, err := r.evictUnguarded(ctx, name, deletion)
	if err != nil {
		return nil, err
	}
	if !done {
		if failure, err := r.evictGuarded(ctx, pod, deletion); failure != nil || err != nil {
			return failure, err
		}
	}
	return &metav1.Status{Status: metav1.StatusSuccess}, nil
}

// deletionOf returns the options for the delete. Both the request and the eviction can
// ask for a dry run; if both do, they must ask for the same.
func deletionOf(eviction *policy.Eviction, options *metav1.CreateOptions) (*metav1.DeleteOptions, error) {
	deletion := eviction.DeleteOptions
	switch {
	case deletion == nil:
		return &metav1.DeleteOptions{DryRun: options.DryRun}, nil
	case len(deletion.DryRun) == 0:
		deletion.DryRun = options.DryRun
	case len(options.DryRun) > 0 && !slices.Equal(options.DryRun, deletion.DryRun):
		return nil, fmt.Errorf("Non-matching dry-run options in request and content: %v and %v", options.DryRun, deletion.DryRun) //nolint:staticcheck // the text is upstream's
	}
	return deletion, nil
}

func pinned(options *metav1.DeleteOptions) bool {
	return options.Preconditions != nil && options.Preconditions.ResourceVersion != nil
}

// pin lets a delete fail if the pod is not the one that was looked at any more.
func pin(options *metav1.DeleteOptions, version string) *metav1.DeleteOptions {
	out := options.DeepCopy()
	if out.Preconditions == nil {
		out.Preconditions = &metav1.Preconditions{}
	}
	out.Preconditions.ResourceVersion = &version
	return out
}

// evictUnguarded deletes a pod whose end disrupts nothing: it is over, about to be
// deleted or has not begun. It returns the pod if it is another one.
func (r *evictionREST) evictUnguarded(ctx context.Context, name string, options *metav1.DeleteOptions) (pod *core.Pod, done bool, err error) {
	again := apierrors.IsConflict
	if pinned(options) {
		again = func(error) bool { return false }
	}
	err = retry.OnError(evictionRetry(), again, func() error {
		obj, err := r.pods.Get(ctx, name, &metav1.GetOptions{})
		if err != nil {
			return err
		}
		pod = obj.(*core.Pod)
		over := isPodOver(pod) || !pod.DeletionTimestamp.IsZero()
		if !over && pod.Status.Phase != corev1.PodPending {
			return nil
		}
		// One that is pending may begin now.
		own := options
		if !over && !pinned(options) {
			own = pin(options, pod.ResourceVersion)
		}
		err = r.delete(ctx, name, own)
		done = err == nil
		return err
	})
	return pod, done, err
}

// evictGuarded deletes a pod if its budget allows it. A failure is an answer, not an
// error, as upstream has it.
func (r *evictionREST) evictGuarded(ctx context.Context, pod *core.Pod, options *metav1.DeleteOptions) (failure runtime.Object, err error) {
	budgets, err := r.budgetsOf(ctx, pod)
	if err != nil {
		return nil, err
	}
	if len(budgets) > 1 {
		return &metav1.Status{
			Status: metav1.StatusFailure, Code: 500,
			Message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
		}, nil
	}
	if len(budgets) == 0 {
		return nil, r.delete(ctx, pod.Name, options)
	}
	budget := &budgets[0]
	if !hasPodCondition(&pod.Status, corev1.PodReady) && mayLoseUnready(budget) {
		own := options
		if !pinned(options) {
			own = pin(options, pod.ResourceVersion)
		}
		err := r.delete(ctx, pod.Name, own)
		if apierrors.IsConflict(err) && !pinned(options) {
			return nil, errBusy(budget.Name) // it may be ready by now: the client is to ask again
		}
		return nil, err
	}
	if err := r.spend(ctx, budget, pod.Name, dryrun.IsDryRun(options.DryRun)); err != nil {
		return nil, err
	}
	return nil, r.delete(ctx, pod.Name, options)
}

// mayLoseUnready says that a pod which is not ready counts for nothing in a budget.
func mayLoseUnready(budget *policyv1.PodDisruptionBudget) bool {
	if p := budget.Spec.UnhealthyPodEvictionPolicy; p != nil && *p == policyv1.AlwaysAllow {
		return true
	}
	return budget.Status.CurrentHealthy >= budget.Status.DesiredHealthy && budget.Status.DesiredHealthy > 0
}

// budgetsOf returns the budgets that a pod belongs to.
func (r *evictionREST) budgetsOf(ctx context.Context, pod *core.Pod) ([]policyv1.PodDisruptionBudget, error) {
	list, err := r.budgets.PodDisruptionBudgets(pod.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(b policyv1.PodDisruptionBudget) bool {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		return err != nil || !selector.Matches(labels.Set(pod.Labels))
	}), nil
}

// spend takes one disruption from a budget.
func (r *evictionREST) spend(ctx context.Context, budget *policyv1.PodDisruptionBudget, pod string, dryRun bool) error {
	budgets, stale := r.budgets.PodDisruptionBudgets(budget.Namespace), false
	err := retry.RetryOnConflict(evictionRetry(), func() error {
		if stale {
			fresh, err := budgets.Get(ctx, budget.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			budget = fresh
		}
		stale = true
		if err := allows(budget); err != nil || dryRun {
			return err
		}
		take(budget, pod)
		_, err := budgets.UpdateStatus(ctx, budget, metav1.UpdateOptions{})
		return err
	})
	if wait.Interrupted(err) || apierrors.IsConflict(err) {
		return apierrors.NewTimeoutError(fmt.Sprintf("couldn't update PodDisruptionBudget %q due to conflicts", budget.Name), 10)
	}
	return err
}

// take counts a pod as gone until the controller of the budget sees that it is.
func take(budget *policyv1.PodDisruptionBudget, pod string) {
	budget.Status.DisruptionsAllowed--
	if budget.Status.DisruptionsAllowed == 0 {
		meta.SetStatusCondition(&budget.Status.Conditions, metav1.Condition{
			Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse,
			Reason: policyv1.InsufficientPodsReason, ObservedGeneration: budget.Status.ObservedGeneration,
		})
	}
	if budget.Status.DisruptedPods == nil {
		budget.Status.DisruptedPods = map[string]metav1.Time{}
	}
	budget.Status.DisruptedPods[pod] = metav1.Now()
}

func allows(budget *policyv1.PodDisruptionBudget) error {
	status := &budget.Status
	resource := schema.GroupResource{Group: policy.GroupName, Resource: "poddisruptionbudget"}
	switch {
	case status.ObservedGeneration < budget.Generation:
		return errBusy(budget.Name)
	case status.DisruptionsAllowed < 0:
		return apierrors.NewForbidden(resource, budget.Name, fmt.Errorf("pdb disruptions allowed is negative"))
	case len(status.DisruptedPods) > maxDisruptedPods:
		return apierrors.NewForbidden(resource, budget.Name, fmt.Errorf("DisruptedPods map too big - too many evictions not confirmed by PDB controller"))
	case status.DisruptionsAllowed > 0:
		return nil
	}
	text := fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", budget.Name, status.DesiredHealthy, status.CurrentHealthy)
	if c := meta.FindStatusCondition(status.Conditions, policyv1.DisruptionAllowedCondition); c != nil &&
		c.Status == metav1.ConditionFalse && c.Reason == policyv1.SyncFailedReason {
		text = fmt.Sprintf("The disruption budget %s does not allow evicting pods currently because it failed sync: %v", budget.Name, c.Message)
	}
	return errTooMany(0, text)
}

func errBusy(budget string) error {
	return errTooMany(10, fmt.Sprintf("The disruption budget %s is still being processed by the server.", budget))
}

func errTooMany(retryAfter int, cause string) error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfter)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: cause})
	return err
}

// delete says in the status of a pod why it ends, and deletes it.
func (r *evictionREST) delete(ctx context.Context, name string, options *metav1.DeleteOptions) error {
	if !dryrun.IsDryRun(options.DryRun) {
		mark := rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, old runtime.Object) (runtime.Object, error) {
			pod := old.(*core.Pod).DeepCopy()
			if err := checkPreconditions(pod, options.Preconditions); err != nil {
				return nil, err
			}
			setPodCondition(&pod.Status, corev1.PodCondition{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, ObservedGeneration: pod.Generation,
				Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting",
			})
			return pod, nil
		})
		marked, _, err := r.status.Update(ctx, name, mark, rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		if pinned(options) {
			options = pin(options, marked.(*core.Pod).ResourceVersion)
		}
	}
	_, _, err := r.pods.Delete(ctx, name, rest.ValidateAllObjectFunc, options)
	return err
}

func checkPreconditions(pod *core.Pod, p *metav1.Preconditions) error {
	if p == nil {
		return nil
	}
	conflict := func(what, wanted, found, happened string) error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "Pod"}, pod.Name,
			fmt.Errorf("the %s in the precondition (%s) does not match the %s in record (%s). The object might have been %s", what, wanted, what, found, happened))
	}
	if p.UID != nil && *p.UID != "" && *p.UID != pod.UID {
		return conflict("UID", string(*p.UID), string(pod.UID), "deleted and then recreated")
	}
	if v := p.ResourceVersion; v != nil && *v != "" && *v != pod.ResourceVersion {
		return conflict("ResourceVersion", *v, pod.ResourceVersion, "modified")
	}
	return nil
}

// joinPods adds what is done to a pod but is no part of it. Without a way to the
// budgets, which are of another group, pods cannot be evicted.
func joinPods(server kind.Server, paths map[string]rest.Storage) error {
	pods, ok := paths["pods"].(*kind.REST)
	if !ok {
		return nil
	}
	binding := &bindingREST{pods: pods}
	paths["pods/binding"] = binding
	paths["bindings"] = namelessBindingREST{binding}
	if server.Loopback == nil {
		return nil
	}
	budgets, err := policyclient.NewForConfig(server.Loopback)
	if err != nil {
		return fmt.Errorf("client for disruption budgets: %w", err)
	}
	paths["pods/eviction"] = &evictionREST{pods: pods, status: paths["pods/status"].(rest.Updater), budgets: budgets}
	return nil
}
