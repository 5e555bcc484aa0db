// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package legacytoken_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/controllers/legacytoken"
	"github.com/stoa-project/stoa/controllers/work"
)

const year = 365 * 24 * time.Hour

// secret was made long ago for an account.
func secret(name, account string, labels map[string]string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), Labels: labels, Annotations: map[string]string{"kubernetes.io/service-account.name": account}},
		Type:       corev1.SecretTypeServiceAccountToken,
	}
}

// Tokens without use are marked after a year, once uses are known for a year, and go
// after another one; those that somebody may need stay.
func TestController(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().UTC()
		day := func(after time.Duration) string { return start.Add(after).Format(time.DateOnly) }
		used := func(text string) map[string]string {
			return map[string]string{"kubernetes.io/legacy-token-last-used": text}
		}
		tracking := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-apiserver-legacy-service-account-token-tracking"}, Data: map[string]string{"since": day(0)},
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "clerk"}}
		for _, name := range []string{"unused", "once", "soon", "damaged", "mounted", "young"} {
			account.Secrets = append(account.Secrets, corev1.ObjectReference{Name: name})
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"}, Spec: corev1.PodSpec{
			Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "mounted"}}}},
		}}
		young := secret("young", "clerk", nil)
		young.CreationTimestamp = metav1.NewTime(start.Add(2 * year))
		client := fake.NewClientset(tracking, account, pod, young, secret("unused", "clerk", nil), secret("once", "clerk", used(day(-time.Hour))),
			secret("soon", "clerk", used(day(2*year))), secret("damaged", "clerk", used("never")), secret("mounted", "clerk", nil),
			secret("manual", "clerk", nil), secret("nobody", "none", nil))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			legacytoken.New(work.Server{Client: client})(ctx)
		}()
		want := func(when time.Duration, want map[string]string) {
			t.Helper()
			<-time.After(time.Until(start.Add(when)))
			synctest.Wait()
			list, err := client.CoreV1().Secrets("").List(ctx, metav1.ListOptions{})
			if err != nil {
				t.Error(err)
			}
			got := map[string]string{}
			for i := range list.Items {
				got[list.Items[i].Name] = list.Items[i].Labels["kubernetes.io/legacy-token-invalid-since"]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", when, diff)
			}
		}
		all := map[string]string{"unused": "", "once": "", "soon": "", "damaged": "", "mounted": "", "manual": "", "nobody": "", "young": ""}
		want(year, all)
		marked := day(year + 24*time.Hour) // the time of the test begins at midnight
		all["unused"], all["once"] = marked, marked
		want(year+49*time.Hour, all)
		delete(all, "unused")
		delete(all, "once")
		want(2*year+73*time.Hour, all)
		cancel()
		<-done
	})
}
