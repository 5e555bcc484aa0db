// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
	tenancyfake "github.com/stoa-project/stoa/generated/clientset/versioned/fake"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
	kinds "github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
)

const namespace = "shop"

// held are the rules that everybody holds.
type held struct {
	*atomic.Pointer[[]rbacv1.PolicyRule]
}

func holding(verb string) *[]rbacv1.PolicyRule {
	return &[]rbacv1.PolicyRule{{Verbs: []string{verb}, APIGroups: []string{""}, Resources: []string{"pods"}}}
}

func (h held) HasSynced() bool                                           { return true }
func (h held) Rules(rbacv1.RoleRef, string) ([]rbacv1.PolicyRule, error) { return *h.Load(), nil }
func (h held) Held(user.Info, string) ([]kinds.Held, error) {
	return []kinds.Held{{Rules: *h.Load()}}, nil
}

// bench is a world with a clock in which controllers come and go.
type bench struct {
	*testing.T

	clock *clocktesting.FakeClock
	kube  *fake.Clientset
	own   *tenancyfake.Clientset
	held  held
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		T: t, clock: clocktesting.NewFakeClock(time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)),
		kube: fake.NewClientset(), own: tenancyfake.NewClientset(),
		held: held{&atomic.Pointer[[]rbacv1.PolicyRule]{}},
	}
	b.held.Store(holding("get"))
	return b
}

// run has a controller run until stop is called.
func (b *bench) run() (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	server := work.Server{
		Client: b.kube, Informers: informers.NewSharedInformerFactory(b.kube, 0),
		Tenancy: b.own, TenancyInformers: externalversions.NewSharedInformerFactory(b.own, 0),
		Guard: escalation.Guard{Roles: b.held, Authorizer: authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
			return authorizer.DecisionNoOpinion, "", nil
		})},
	}
	run := newAt(server, b.clock)
	server.Informers.StartWithContext(ctx)
	server.TenancyInformers.StartWithContext(ctx)
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	return func() {
		cancel()
		running.Wait()
		server.Informers.Shutdown()
		server.TenancyInformers.Shutdown()
	}
}

func (b *bench) make(name string, change func(*tenancyv1.Grant)) {
	b.Helper()
	g := &tenancyv1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name)}}
	g.Spec.Subject = rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "bob"}
	g.Spec.RoleRef = &rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "reader"}
	g.Status = tenancyv1.GrantStatus{Phase: tenancyv1.GrantPending, GrantedBy: &authenticationv1.UserInfo{Username: "ann"}}
	change(g)
	if _, err := b.own.TenancyV1().Grants(namespace).Create(b.Context(), g, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
}

// becomes waits until a grant is in a phase, and its binding is there or not. The clock
// ticks meanwhile.
func (b *bench) becomes(name string, phase tenancyv1.GrantPhase, bound bool) *tenancyv1.Grant {
	b.Helper()
	var g *tenancyv1.Grant
	err := wait.PollUntilContextTimeout(b.Context(), time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		b.clock.Step(tick)
		var err error
		if g, err = b.own.TenancyV1().Grants(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil || g.Status.Phase != phase {
			return false, err
		}
		_, err = b.kube.RbacV1().RoleBindings(namespace).Get(ctx, objectName(g), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return !bound, nil
		}
		return bound, err
	})
	if err != nil {
		b.Fatalf("grant %s: want %s, is %+v: %v", name, phase, g.Status, err)
	}
	return g
}

// A grant ends at its time by the clock of the machine, however that moves, and whoever
// runs then.
func TestClock(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stop := b.run()
	lasts := func(d time.Duration) func(*tenancyv1.Grant) {
		return func(g *tenancyv1.Grant) { g.Spec.Duration = &metav1.Duration{Duration: d} }
	}
	b.make("hour", lasts(time.Hour))
	b.make("day", lasts(24*time.Hour))
	b.make("week", lasts(7*24*time.Hour))
	b.make("ever", func(*tenancyv1.Grant) {})
	began := b.clock.Now()
	for _, name := range []string{"hour", "day", "week", "ever"} {
		b.becomes(name, tenancyv1.GrantActive, true)
	}
	if g := b.becomes("hour", tenancyv1.GrantActive, true); g.Status.ActivatedAt.Time.Before(began) || !g.Status.ExpiresAt.Time.Equal(g.Status.ActivatedAt.Add(time.Hour)) {
		t.Errorf("from %v to %v", g.Status.ActivatedAt, g.Status.ExpiresAt)
	}
	b.clock.Step(time.Hour)
	b.becomes("hour", tenancyv1.GrantExpired, false)
	b.becomes("day", tenancyv1.GrantActive, true)
	b.clock.Step(-2 * time.Hour) // somebody sets the clock
	b.clock.Step(26 * time.Hour)
	b.becomes("day", tenancyv1.GrantExpired, false)
	stop()
	b.clock.Step(14 * 24 * time.Hour) // nobody runs
	b.becomes("week", tenancyv1.GrantActive, true)
	defer b.run()()
	b.becomes("week", tenancyv1.GrantExpired, false)
	b.becomes("ever", tenancyv1.GrantActive, true)
}

// A grantor who has lost what he granted before it is in force grants nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	defer b.run()()
	b.make("more", func(g *tenancyv1.Grant) {
		g.Spec.RoleRef, g.Spec.Rules = nil, *holding("delete")
	})
	g := b.becomes("more", tenancyv1.GrantRefused, false)
	const want = "user \"ann\" (groups=[]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}"
	if len(g.Status.Conditions) != 1 || g.Status.Conditions[0].Message != want || g.Status.Conditions[0].Status != metav1.ConditionFalse {
		t.Errorf("conditions %+v", g.Status.Conditions)
	}
}

// saying waits until the status of a grant says something of its being in force. The clock
// stands still.
func (b *bench) saying(name string, phase tenancyv1.GrantPhase, status metav1.ConditionStatus, reason string) *tenancyv1.Grant {
	b.Helper()
	var g *tenancyv1.Grant
	err := wait.PollUntilContextTimeout(b.Context(), time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		var err error
		g, err = b.own.TenancyV1().Grants(namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && g.Status.Phase == phase && len(g.Status.Conditions) == 1 &&
			g.Status.Conditions[0].Status == status && g.Status.Conditions[0].Reason == reason, err
	})
	if err != nil {
		b.Fatalf("grant %s: want %s, %s, %s, is %+v: %v", name, phase, status, reason, g.Status, err)
	}
	return g
}

// A grant is in force when its binding is there, and says why that is not.
func TestNotBound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var full atomic.Bool
	full.Store(true)
	b.kube.PrependReactor("create", "rolebindings", func(clienttesting.Action) (bool, runtime.Object, error) {
		if !full.Load() {
			return false, nil, nil
		}
		return true, nil, apierrors.NewForbidden(rbacv1.Resource("rolebindings"), "grant:one", errors.New("exceeded quota: few"))
	})
	defer b.run()()
	b.make("one", func(*tenancyv1.Grant) {})
	g := b.saying("one", tenancyv1.GrantActive, metav1.ConditionFalse, "Forbidden")
	const want = `rolebindings.rbac.authorization.k8s.io "grant:one" is forbidden: exceeded quota: few`
	if got := g.Status.Conditions[0].Message; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	full.Store(false)
	b.saying("one", tenancyv1.GrantActive, metav1.ConditionTrue, "Bound")
	b.becomes("one", tenancyv1.GrantActive, true)
}

// What the grantor holds may become known here later than where he made the grant.
func TestHeldLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	defer b.run()()
	b.make("early", func(g *tenancyv1.Grant) { g.Spec.RoleRef, g.Spec.Rules = nil, *holding("delete") })
	b.saying("early", tenancyv1.GrantPending, metav1.ConditionFalse, "NotHeld")
	b.held.Store(holding("delete"))
	b.saying("early", tenancyv1.GrantActive, metav1.ConditionTrue, "Bound")
}

// binding waits until the binding of a grant, nil if there is none, is as it should be.
func (b *bench) binding(name string, is func(*rbacv1.RoleBinding) bool) {
	b.Helper()
	err := wait.PollUntilContextTimeout(b.Context(), time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		binding, err := b.kube.RbacV1().RoleBindings(namespace).Get(ctx, "grant:"+name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return is(nil), nil
		}
		return err == nil && is(binding), err
	})
	if err != nil {
		b.Fatalf("binding of %s: %v", name, err)
	}
}

// A binding goes with its grant, also if somebody takes the finalizer away, and that of a
// grant that is gone gives its name to the next.
func TestGoneGrant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stop := b.run()
	rules := func(g *tenancyv1.Grant) { g.Spec.RoleRef, g.Spec.Rules = nil, *holding("get") }
	for _, name := range []string{"one", "two", "three"} {
		b.make(name, rules)
		b.saying(name, tenancyv1.GrantActive, metav1.ConditionTrue, "Bound")
	}
	grants := b.own.TenancyV1().Grants(namespace)
	gone := func(name string) { // the fake knows no finalizers
		if err := grants.Delete(b.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	gone("one")
	b.binding("one", func(binding *rbacv1.RoleBinding) bool { return binding == nil })
	stop()
	gone("two")
	gone("three")
	b.make("three", func(g *tenancyv1.Grant) { rules(g); g.UID = "of-another" })
	defer b.run()()
	b.binding("two", func(binding *rbacv1.RoleBinding) bool { return binding == nil })
	b.saying("three", tenancyv1.GrantActive, metav1.ConditionTrue, "Bound")
	b.binding("three", func(binding *rbacv1.RoleBinding) bool {
		return binding != nil && binding.OwnerReferences[0].UID == "of-another" && binding.OwnerReferences[0].BlockOwnerDeletion == nil
	})
	left, err := b.kube.RbacV1().Roles(namespace).List(b.Context(), metav1.ListOptions{})
	if err != nil || len(left.Items) != 1 {
		t.Errorf("roles %+v, %v", left, err)
	}
}

// Who takes the owner off a binding does not keep it.
func TestDisowned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stop := b.run()
	b.make("hour", func(g *tenancyv1.Grant) { g.Spec.Duration = &metav1.Duration{Duration: time.Hour} })
	b.saying("hour", tenancyv1.GrantActive, metav1.ConditionTrue, "Bound")
	disown := func() {
		patch := []byte(`{"metadata":{"ownerReferences":null,"annotations":null}}`)
		if _, err := b.kube.RbacV1().RoleBindings(namespace).Patch(b.Context(), "grant:hour", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	disown()
	b.binding("hour", func(binding *rbacv1.RoleBinding) bool {
		return len(binding.OwnerReferences) == 1 && binding.Annotations["tenancy.stoa.dev/expires-at"] != ""
	})
	stop()
	disown()
	b.clock.Step(time.Hour)
	defer b.run()()
	b.becomes("hour", tenancyv1.GrantExpired, false)
}

// The finalizer comes back while the grant is in force.
func TestFinalizerTakenAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	defer b.run()()
	b.make("one", func(*tenancyv1.Grant) {})
	b.saying("one", tenancyv1.GrantActive, metav1.ConditionTrue, "Bound")
	grants := b.own.TenancyV1().Grants(namespace)
	if _, err := grants.Patch(t.Context(), "one", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		g, err := grants.Get(ctx, "one", metav1.GetOptions{})
		return err == nil && len(g.Finalizers) == 1, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// In a namespace that is being deleted nothing can be made: that is no error, and not tried
// again.
func TestTerminating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var attempts atomic.Int32
		b.kube.PrependReactor("create", "rolebindings", func(clienttesting.Action) (bool, runtime.Object, error) {
			attempts.Add(1)
			err := apierrors.NewForbidden(rbacv1.Resource("rolebindings"), "grant:bob", errors.New("because it is being terminated"))
			err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
			return true, nil, err
		})
		stop := b.run()
		b.make("bob", func(*tenancyv1.Grant) {})
		<-time.After(time.Hour)                         // of the bubble
		if got := attempts.Load(); got < 1 || got > 3 { // once for each time that the grant is written
			t.Errorf("a binding was tried %d times", got)
		}
		if err := b.own.TenancyV1().Grants(namespace).Delete(t.Context(), "bob", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		stop()
	})
}
