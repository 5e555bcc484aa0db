// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/stoatest"
)

// leader is who holds the lease of the controllers; nothing if nobody does.
func leader(t *testing.T, server *stoatest.Server) string {
	t.Helper()
	lease, err := kubernetes.NewForConfigOrDie(server.Config()).CoordinationV1().Leases("kube-system").Get(t.Context(), "stoa-controllers", metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && lease.Spec.HolderIdentity == nil {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return *lease.Spec.HolderIdentity
}

// wantLeader waits until somebody leads who did not.
func wantLeader(t *testing.T, server *stoatest.Server, before string) string {
	t.Helper()
	var now string
	eventually(t, func() string {
		if now = leader(t, server); now == "" || now == before {
			return "leader is " + now
		}
		return ""
	})
	return now
}

// TestElection has the controllers of one of two servers work, and those of the other
// when that one stops.
func TestElection(t *testing.T) {
	t.Parallel()
	shared, err := etcd.Start(t.Context(), etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shared.Stop(context.WithoutCancel(t.Context())) })
	onShared := stoatest.WithFlags("--etcd-servers=" + shared.Endpoints()[0])
	one := stoatest.Start(t, onShared)
	first := wantLeader(t, one, "")
	two := stoatest.Start(t, onShared)
	for _, name := range []string{"before", "after"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := kubernetes.NewForConfigOrDie(two.Config()).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	wantEmptied := func(name string) {
		t.Helper()
		namespaces := kubernetes.NewForConfigOrDie(two.Config()).CoreV1().Namespaces()
		if err := namespaces.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() string {
			if _, err := namespaces.Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return name + " is still there: " + text(err)
			}
			return ""
		})
	}
	wantEmptied("before")
	if got := leader(t, two); got != first {
		t.Errorf("leader is %s, want %s", got, first)
	}
	one.Stop() // and frees the lease
	second := wantLeader(t, two, first)
	wantEmptied("after")
	if got := leader(t, two); got != second {
		t.Errorf("leader is %s, want %s", got, second)
	}
}

// TestElectionAlone needs no lease in a server with an etcd of its own, unless asked
// for, and none where no controller runs.
func TestElectionAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		flags []string
		leads bool
	}{
		"embedded":       {nil, false},
		"asked for":      {[]string{"--leader-elect"}, true},
		"no controllers": {[]string{"--leader-elect", "--controllers=-*"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags(tc.flags...))
			if tc.leads {
				wantLeader(t, server, "")
			}
			if tc.flags == nil { // controllers work
				client := kubernetes.NewForConfigOrDie(server.Config()).CoreV1()
				eventually(t, func() string {
					_, err := client.ServiceAccounts("default").Get(t.Context(), "default", metav1.GetOptions{})
					return text(err)
				})
			}
			if got := leader(t, server); (got != "") != tc.leads {
				t.Errorf("leader is %q", got)
			}
		})
	}
}
