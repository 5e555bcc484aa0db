// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tokencleaner_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/authn/bootstraptoken"
	"github.com/stoa-project/stoa/controllers/tokencleaner"
)

func token(id string, expires time.Time) *corev1.Secret {
	return (&bootstraptoken.Token{ID: id, Secret: "0123456789abcdef", Expires: expires}).Object()
}

// left are the names of the Secrets that are there.
func left(t *testing.T, client kubernetes.Interface) []string {
	t.Helper()
	list, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range list.Items {
		out = append(out, list.Items[i].Name)
	}
	return out
}

// Tokens go when they expire, also one whose end is moved; others stay.
func TestController(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		malformed := token("malfor", now)
		malformed.Data["expiration"] = []byte("soon")
		client := fake.NewClientset(token("expire", now.Add(-time.Second)), token("inhour", now.Add(time.Hour)),
			token("inday0", now.Add(24*time.Hour)), token("longer", now.Add(time.Hour)), token("always", time.Time{}), malformed)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			tokencleaner.New(client, nil)(ctx)
		}()
		want := func(when time.Duration, names ...string) {
			t.Helper()
			<-time.After(time.Until(now.Add(when)))
			synctest.Wait()
			if diff := cmp.Diff(names, left(t, client)); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", when, diff)
			}
		}
		const a, d, h, l = "bootstrap-token-always", "bootstrap-token-inday0", "bootstrap-token-inhour", "bootstrap-token-longer"
		want(time.Second, a, d, h, l)
		if _, err := client.CoreV1().Secrets("kube-system").Update(ctx, token("longer", now.Add(2*time.Hour)), metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
		want(time.Hour-time.Second, a, d, h, l)
		want(time.Hour+time.Second, a, d, l)
		want(2*time.Hour+time.Second, a, d)
		want(25*time.Hour, a)
		cancel()
		<-done
	})
}
