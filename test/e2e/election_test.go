// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// leads says whether a server runs the controllers, as its metrics tell.
func (s *server) leads(ctx context.Context, t *testing.T) (bool, error) {
	t.Helper()
	text, err := s.client(t).CoreV1().RESTClient().Get().AbsPath("/metrics").Do(ctx).Raw()
	return strings.Contains(string(text), "\n"+`leader_election_master_status{name="stoa-controllers"} 1`+"\n"), err
}

// wantLeader waits until a server leads.
func (s *server) wantLeader(t *testing.T) {
	t.Helper()
	eventually(t, "the server leads", func() error {
		leads, err := s.leads(t.Context(), t)
		if err == nil && !leads {
			err = errors.New("it does not")
		}
		return err
	})
}

// oneLeader waits until one of two servers leads, and not the other.
func oneLeader(t *testing.T, one, two *server) {
	t.Helper()
	eventually(t, "one server leads", func() error {
		first, err := one.leads(t.Context(), t)
		second, err2 := two.leads(t.Context(), t)
		if first == second || err != nil || err2 != nil {
			return errors.Join(err, err2, fmt.Errorf("they lead: %t, %t", first, second))
		}
		return nil
	})
}

// wantAddresses waits until the service kubernetes leads to servers, in both forms of its
// endpoints.
func (s *server) wantAddresses(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, "the endpoints of the service kubernetes are those of the servers", func() error {
		endpoints, err := s.client(t).CoreV1().Endpoints("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
		if err != nil {
			return err
		}
		slice, err := s.client(t).DiscoveryV1().EndpointSlices("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
		if err != nil {
			return err
		}
		var old, now []string
		for _, subset := range endpoints.Subsets {
			for _, address := range subset.Addresses {
				old = append(old, address.IP)
			}
		}
		for _, endpoint := range slice.Endpoints {
			now = append(now, endpoint.Addresses...)
		}
		slices.Sort(now)
		if !slices.Equal(old, want) || !slices.Equal(now, want) {
			return fmt.Errorf("endpoints %v, slice %v, want %v", old, now, want)
		}
		return nil
	})
}

// Of two servers on one etcd the second takes over when the first one crashes, and the
// service leads to the second alone. How soon the first must be is a test of package
// election, whose time does not depend on the machine.
func TestTakeover(t *testing.T) {
	t.Parallel()
	integration(t)
	etcd := startEtcd(t)
	one := start(t, folder(t), append(etcd.flags(), "--advertise-address=192.0.2.1")...)
	one.wantLeader(t)
	two := start(t, folder(t), append(etcd.flags(), "--advertise-address=192.0.2.2")...)
	two.wantAddresses(t, "192.0.2.1", "192.0.2.2")
	if leads, err := two.leads(t.Context(), t); leads || err != nil {
		t.Fatalf("both servers lead, %v", err)
	}
	namespaces := two.client(t).CoreV1().Namespaces()
	if _, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doomed"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	one.kill(t)
	crashed := time.Now()
	if err := namespaces.Delete(t.Context(), "doomed", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is emptied", func() error {
		_, err := namespaces.Get(t.Context(), "doomed", metav1.GetOptions{})
		if err == nil {
			return errors.New("it is still there")
		}
		if !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	})
	t.Logf("Took over in %s", time.Since(crashed))
	two.wantLeader(t)
	two.wantAddresses(t, "192.0.2.2")
	two.stop(t)
}

// A server that loses etcd stops its controllers, and one of two leads when etcd is
// back.
func TestElectionWithoutEtcd(t *testing.T) {
	t.Parallel()
	integration(t)
	etcd := startEtcd(t)
	flags := append(etcd.flags(), "--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms")
	one, two := start(t, folder(t), flags...), start(t, folder(t), flags...)
	oneLeader(t, one, two)
	etcd.stop(t)
	for _, s := range []*server{one, two} {
		eventually(t, "the server does not lead", func() error {
			leads, err := s.leads(t.Context(), t)
			if err == nil && leads {
				err = errors.New("it does")
			}
			return err
		})
	}
	etcd.start(t)
	oneLeader(t, one, two)
	one.stop(t)
	two.stop(t)
}

// Where no controller is on, none runs; what else runs has nothing of them.
func TestControllersOff(t *testing.T) {
	t.Parallel()
	integration(t)
	const own = "stoa/controllers"
	stacks := func(s *server) string {
		t.Helper()
		text, err := s.client(t).CoreV1().RESTClient().Get().AbsPath("/debug/pprof/goroutine").Param("debug", "1").Do(t.Context()).Raw()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	on := start(t, folder(t))
	eventually(t, "controllers run", func() error {
		if got := stacks(on); !strings.Contains(got, own+"/namespace.") || !strings.Contains(got, own+"/garbagecollector.") {
			return errors.New(got)
		}
		return nil
	})
	on.stop(t)
	off := start(t, folder(t), "--controllers=-*", "--leader-elect")
	if got := stacks(off); strings.Contains(got, own) {
		t.Errorf("with controllers off: %s", got)
	}
	text, err := off.client(t).CoreV1().RESTClient().Get().AbsPath("/metrics").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"leader_election_master_status", `workqueue_depth{name="namespace"}`, "garbagecollector_controller"} {
		if strings.Contains(string(text), "\n"+name) {
			t.Errorf("with controllers off there is the metric %s", name)
		}
	}
	off.stop(t)
}
