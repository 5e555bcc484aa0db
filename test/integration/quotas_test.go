// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// limit makes a quota, and waits until it has been counted.
func limit(t testing.TB, client kubernetes.Interface, namespace, name string, spec corev1.ResourceQuotaSpec) {
	t.Helper()
	_, err := client.CoreV1().ResourceQuotas(namespace).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the quota to be counted", func(ctx context.Context) bool {
		q, err := client.CoreV1().ResourceQuotas(namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && len(q.Status.Used) == len(spec.Hard)
	})
}

func hard(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

// used waits until a quota says what is used.
func used(t testing.TB, client kubernetes.Interface, namespace, name string, want corev1.ResourceList) {
	t.Helper()
	eventually(t, func() string {
		q, err := client.CoreV1().ResourceQuotas(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		for resource, quantity := range want {
			if got := q.Status.Used[resource]; !got.Equal(quantity) {
				return fmt.Sprintf("%s: used %s, want %s", resource, &got, &quantity)
			}
		}
		return ""
	})
}

// TestQuotaUnderLoad has a thousand clients want what there is a hundred of, while others
// give some back.
func TestQuotaUnderLoad(t *testing.T) {
	t.Parallel()
	client, namespace := coreClient(t), newNamespace(t)
	limit(t, client, namespace, "few", corev1.ResourceQuotaSpec{Hard: hard("count/secrets", "100")})
	var created atomic.Int32
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			_, err := client.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%d", i)}}, metav1.CreateOptions{})
			switch {
			case err == nil:
				created.Add(1)
			case !apierrors.IsForbidden(err):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if created.Load() != 100 {
		t.Errorf("created %d, want 100", created.Load())
	}
	list, err := client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 100 {
		t.Errorf("there are %d, %v", len(list.Items), err)
	}
	used(t, client, namespace, "few", hard("count/secrets", "100"))
}
