// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/core"
	registry "github.com/stoa-project/stoa/registry/core"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// runPod creates a pod, binds it and says that it runs.
func runPod(t *testing.T, client kubernetes.Interface, name, app string) *corev1.Pod {
	t.Helper()
	pods := client.CoreV1().Pods("default")
	_, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: name}, Target: corev1.ObjectReference{Kind: "Node", Name: "node"}}
	if err := pods.Bind(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := pods.Bind(t.Context(), binding, metav1.CreateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("binding %s twice: got %v, want a conflict", name, err)
	}
	pod, err := pods.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Spec.NodeName != "node" {
		t.Errorf("%s is on node %q after it was bound to another", name, pod.Spec.NodeName)
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	if pod, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return pod
}

// addBudget creates a budget that allows some pods of an app to go.
func addBudget(t *testing.T, client kubernetes.Interface, name, app string, allowed int32) {
	t.Helper()
	budgets := client.PolicyV1().PodDisruptionBudgets("default")
	budget, err := budgets.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	budget.Status = policyv1.PodDisruptionBudgetStatus{
		ObservedGeneration: budget.Generation, DisruptionsAllowed: allowed, CurrentHealthy: 1 + allowed, DesiredHealthy: 1, ExpectedPods: 1,
	}
	if _, err := budgets.UpdateStatus(t.Context(), budget, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestEviction(t *testing.T) {
	t.Parallel()
	client := kubernetes.NewForConfigOrDie(stoatest.Start(t).Config())
	pods := client.CoreV1().Pods("default")
	evict := func(ctx context.Context, pod *corev1.Pod, options *metav1.DeleteOptions) error {
		return pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, DeleteOptions: options})
	}
	// marked says that a pod is about to go, and why.
	marked := func(t *testing.T, pod *corev1.Pod) bool {
		t.Helper()
		got, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range got.Status.Conditions {
			if c.Type == corev1.DisruptionTarget {
				return got.DeletionTimestamp != nil && c.Status == corev1.ConditionTrue && c.Reason == "EvictionByEvictionAPI"
			}
		}
		return false
	}

	t.Run("a pod on no node goes at once", func(t *testing.T) {
		t.Parallel()
		pod, err := pods.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "pending"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := evict(t.Context(), pod, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("got %v, want not found", err)
		}
	})
	t.Run("without a budget", func(t *testing.T) {
		t.Parallel()
		pod := runPod(t, client, "free", "free")
		if err := evict(t.Context(), pod, &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}); err != nil || marked(t, pod) {
			t.Errorf("after a dry run: error %v, going: %v", err, marked(t, pod))
		}
		if err := evict(t.Context(), pod, &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: new(pod.UID + "x")}}); !apierrors.IsConflict(err) {
			t.Errorf("another pod of that name: got %v, want a conflict", err)
		}
		if err := evict(t.Context(), pod, nil); err != nil || !marked(t, pod) {
			t.Errorf("error %v, going: %v", err, marked(t, pod))
		}
	})
	t.Run("with a budget", func(t *testing.T) {
		t.Parallel()
		addBudget(t, client, "one", "one", 1)
		first, second := runPod(t, client, "first", "one"), runPod(t, client, "second", "one")
		if err := evict(t.Context(), first, nil); err != nil || !marked(t, first) {
			t.Errorf("error %v, going: %v", err, marked(t, first))
		}
		budget, err := client.PolicyV1().PodDisruptionBudgets("default").Get(t.Context(), "one", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := budget.Status.DisruptedPods["first"]; !ok || budget.Status.DisruptionsAllowed != 0 {
			t.Errorf("the budget does not count the pod: %+v", budget.Status)
		}
		err = evict(t.Context(), second, nil)
		cause, ok := apierrors.StatusCause(err, policyv1.DisruptionBudgetCause)
		if !apierrors.IsTooManyRequests(err) || !ok || cause.Message != "The disruption budget one needs 1 healthy pods and has 2 currently" {
			t.Errorf("got %v (%v)", err, cause)
		}
		if marked(t, second) {
			t.Error("a pod goes that the budget protects")
		}
	})
	t.Run("with two budgets", func(t *testing.T) {
		t.Parallel()
		addBudget(t, client, "two-a", "two", 1)
		addBudget(t, client, "two-b", "two", 1)
		err := evict(t.Context(), runPod(t, client, "two", "two"), nil)
		if status := apierrors.APIStatus(nil); !errors.As(err, &status) || status.Status().Code != http.StatusInternalServerError {
			t.Errorf("got %v, want an internal error", err)
		}
	})
}

// startingPods is the status of pods, of which one starts just before it is marked for
// its eviction.
type startingPods struct {
	rest.Patcher
	rest.Storage
	once *sync.Once
}

func (s startingPods) New() runtime.Object { return s.Patcher.New() }

func (s startingPods) Update(ctx context.Context, name string, obj rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc, force bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	var err error
	s.once.Do(func() {
		start := rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, old runtime.Object) (runtime.Object, error) {
			pod := old.(*core.Pod).DeepCopy()
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
			return pod, nil
		})
		_, _, err = s.Patcher.Update(ctx, name, start, rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{})
	})
	if err != nil {
		return nil, false, err
	}
	return s.Patcher.Update(ctx, name, obj, create, update, force, options)
}

// A pod that starts while it is evicted is one that runs: its budget is asked, and
// without one it goes.
func TestEvictionOfStartingPod(t *testing.T) {
	t.Parallel()
	for name, wantAllowed := range map[string]bool{"without a budget": true, "with a budget": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group := registry.Group()
			join := group.Join
			group.Join = func(server kind.Server, paths map[string]rest.Storage) error {
				status := paths["pods/status"]
				defer func() { paths["pods/status"] = status }()
				paths["pods/status"] = startingPods{status.(rest.Patcher), status, &sync.Once{}}
				return join(server, paths)
			}
			client := kubernetes.NewForConfigOrDie(stoatest.Start(t, stoatest.WithOptions(func(o *server.Options) {
				o.Groups[slices.IndexFunc(o.Groups, func(g kind.Group) bool { return g.Name == "" })] = group
			})).Config())
			pods := client.CoreV1().Pods("default")
			_, err := pods.Create(t.Context(), &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "starting", Labels: map[string]string{"app": "starting"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !wantAllowed {
				addBudget(t, client, "none", "starting", 0)
			}
			err = pods.EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "starting"}})
			_, left := pods.Get(t.Context(), "starting", metav1.GetOptions{})
			switch {
			case wantAllowed && (err != nil || !apierrors.IsNotFound(left)):
				t.Errorf("error %v; a read of the pod: %v, want not found", err, left)
			case !wantAllowed && (!apierrors.IsTooManyRequests(err) || left != nil):
				t.Errorf("error %v, want too many requests; a read of the pod: %v", err, left)
			}
		})
	}
}
