// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package election_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/controllers/election"
)

// servers share a lease, in the time of a bubble.
type servers struct {
	*testing.T
	client *fake.Clientset
	all    sync.WaitGroup
	leads  atomic.Int32
	terms  chan string // begins and ends
}

func newServers(t *testing.T, objects ...runtime.Object) *servers {
	return &servers{T: t, client: fake.NewClientset(objects...), terms: make(chan string, 100)}
}

// start returns what stops a server, as an interrupt does.
func (s *servers) start(name string) context.CancelFunc {
	ctx, cancel := context.WithCancel(s.Context())
	own := election.Election{
		Times:  election.Times{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second},
		Leases: s.client.CoordinationV1(), Namespace: "kube-system", Name: "lease", Identity: name,
	}
	s.all.Go(func() {
		err := own.Run(ctx, func(term context.Context) {
			if n := s.leads.Add(1); n != 1 {
				s.Errorf("%d servers lead", n)
			}
			s.terms <- name + " begins"
			<-term.Done()
			s.terms <- name + " ends"
			s.leads.Add(-1)
		})
		if err != nil {
			s.Error(err)
		}
	})
	return cancel
}

// want waits for the next begin or end of a term.
func (s *servers) want(what string, within time.Duration) {
	s.Helper()
	select {
	case got := <-s.terms:
		if got != what {
			s.Fatalf("%s, want: %s", got, what)
		}
	case <-time.After(within):
		s.Fatalf("not within %s: %s", within, what)
	}
}

// wantNone waits for a while in which nothing must happen.
func (s *servers) wantNone(within time.Duration) {
	s.Helper()
	select {
	case got := <-s.terms:
		s.Fatalf("%s", got)
	case <-time.After(within):
	}
}

func (s *servers) holder() string {
	s.Helper()
	lease, err := s.client.CoordinationV1().Leases("kube-system").Get(s.Context(), "lease", metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// The first server leads until it stops, and then the second does, at once.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers(t)
		stopOne := s.start("one")
		s.want("one begins", time.Second)
		stopTwo := s.start("two")
		s.wantNone(time.Minute)
		stopOne()
		s.want("one ends", time.Second)
		s.want("two begins", 3*time.Second)
		s.wantNone(time.Minute)
		stopTwo()
		s.want("two ends", time.Second)
		s.all.Wait()
		if got := s.holder(); got != "" {
			t.Errorf("the lease is still that of %s", got)
		}
	})
}

// A server that stops while it stands for election leaves the lease alone.
func TestStopCandidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers(t)
		stopOne := s.start("one")
		s.want("one begins", time.Second)
		stopTwo := s.start("two")
		s.wantNone(time.Minute)
		stopTwo()
		s.wantNone(time.Minute)
		if got := s.holder(); got != "one" {
			t.Errorf("the lease is that of %q", got)
		}
		stopOne()
		s.want("one ends", time.Second)
		s.all.Wait()
	})
}

// A lease that somebody else holds who is gone expires, in less than twenty seconds.
func TestCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers(t, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "lease"},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new("gone"), LeaseDurationSeconds: new(int32(15)), RenewTime: &metav1.MicroTime{Time: time.Now()},
			},
		})
		stop := s.start("one")
		s.wantNone(14 * time.Second)
		s.want("one begins", 6*time.Second)
		stop()
		s.want("one ends", time.Second)
		s.all.Wait()
	})
}

// A term ends when the lease cannot be renewed, before anybody else may have it, and
// another one begins when it can.
func TestLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers(t)
		stopOne := s.start("one")
		s.want("one begins", time.Second)
		var down atomic.Bool
		s.client.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			if down.Load() {
				return true, nil, errors.New("etcd is down")
			}
			return false, nil, nil
		})
		s.wantNone(time.Minute)
		down.Store(true)
		s.want("one ends", 12*time.Second)
		s.wantNone(time.Minute)
		down.Store(false)
		s.want("one begins", 3*time.Second)
		down.Store(true)
		stopOne()
		s.want("one ends", time.Second)
		s.all.Wait() // it does not wait for etcd to come back
	})
}
