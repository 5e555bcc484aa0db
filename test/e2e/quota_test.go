// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Two servers charge one quota: together they never give more than it allows.
func TestQuotaOfTwoServers(t *testing.T) {
	t.Parallel()
	integration(t)
	const allowed, wanted = 20, 200
	etcd := startEtcd(t)
	servers := []*server{start(t, folder(t), etcd.flags()...), start(t, folder(t), etcd.flags()...)}
	quotas := servers[0].client(t).CoreV1().ResourceQuotas("default")
	_, err := quotas.Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			"count/secrets": *resource.NewQuantity(allowed, resource.DecimalSI), "count/leases.coordination.k8s.io": *resource.NewQuantity(0, resource.DecimalSI),
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Each server learns from its own watch that there is a quota.
	for _, s := range servers {
		eventually(t, "the quota holds", func() error {
			_, err := s.client(t).CoordinationV1().Leases("default").Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "dry"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err == nil || !strings.Contains(err.Error(), "exceeded quota") {
				return fmt.Errorf("a lease: %w", err)
			}
			return nil
		})
	}
	var created atomic.Int32
	var all sync.WaitGroup
	for i := range wanted {
		secrets := servers[i%len(servers)].client(t).CoreV1().Secrets("default")
		all.Go(func() {
			for {
				_, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%d", i)}}, metav1.CreateOptions{})
				if apierrors.IsConflict(err) { // the other server has charged it meanwhile
					continue
				}
				if err == nil {
					created.Add(1)
				} else if !apierrors.IsForbidden(err) {
					t.Error(err)
				}
				return
			}
		})
	}
	all.Wait()
	list, err := servers[0].client(t).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != allowed || created.Load() != allowed {
		t.Errorf("created %d, there are %d, want %d; %v", created.Load(), len(list.Items), allowed, err)
	}
	for _, s := range servers {
		s.stop(t)
	}
}

// A quota is counted again after a kill -9, which may have come between the charge and the
// object: what was charged for nothing is given back, and no more than allowed is there.
func TestQuotaAfterKill(t *testing.T) {
	t.Parallel()
	integration(t)
	const allowed, rounds, workers, each = 320, 3, 8, 12
	const counted corev1.ResourceName = "count/secrets"
	s := start(t, folder(t))
	_, err := s.client(t).CoreV1().ResourceQuotas("default").Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{counted: *resource.NewQuantity(allowed, resource.DecimalSI)}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// rightly waits until the quota says what is there.
	rightly := func() (there int) {
		eventually(t, "the quota is counted", func() error {
			list, err := s.client(t).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
			if err != nil {
				return err
			}
			quota, err := s.client(t).CoreV1().ResourceQuotas("default").Get(t.Context(), "few", metav1.GetOptions{})
			if err != nil {
				return err
			}
			there = len(list.Items)
			if used, ok := quota.Status.Used[counted]; !ok || used.Value() != int64(there) {
				return fmt.Errorf("there are %d, used is %s", there, used.String())
			}
			return nil
		})
		return there
	}
	rightly()
	for round := range rounds {
		var created atomic.Int32
		var writing sync.WaitGroup
		for w := range workers {
			secrets := s.client(t).CoreV1().Secrets("default")
			writing.Go(func() {
				for i := range each {
					_, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%d-%d-%d", round, w, i)}}, metav1.CreateOptions{})
					switch {
					case err == nil:
						created.Add(1)
					case !apierrors.IsConflict(err):
						return // the server was killed
					}
				}
			})
		}
		eventually(t, "the writers write", func() error {
			if n := created.Load(); n < 20 {
				return fmt.Errorf("%d secrets", n)
			}
			return nil
		})
		s.kill(t)
		writing.Wait()
		s = s.restart(t)
		if there := rightly(); there > allowed {
			t.Fatalf("there are %d, allowed are %d", there, allowed)
		}
	}
	for i := 0; ; i++ {
		_, err := s.client(t).CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("last-%d", i)}}, metav1.CreateOptions{})
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), "exceeded quota: few") {
			t.Errorf("after the last one: %v", err)
		}
		break
	}
	if there := rightly(); there != allowed {
		t.Errorf("there are %d, want %d", there, allowed)
	}
	s.stop(t)
}
