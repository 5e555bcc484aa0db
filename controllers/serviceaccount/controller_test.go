// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount_test

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// A pod can be made as soon as its namespace is there, and has the token of the
// account; an account that is deleted comes back, unless the namespace goes.
func TestDefaultAccount(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	client := kubernetes.NewForConfigOrDie(stoatest.Start(t).Config()).CoreV1()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "fresh"}}
	if _, err := client.Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	pod, err := client.Pods("fresh").Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	spec := pod.Spec
	if spec.ServiceAccountName != "default" || len(spec.Volumes) != 1 || !strings.HasPrefix(spec.Volumes[0].Name, "kube-api-access-") ||
		len(spec.Containers[0].VolumeMounts) != 1 || spec.Containers[0].VolumeMounts[0].Name != spec.Volumes[0].Name {
		t.Errorf("pod has no token: %+v", spec)
	}

	uid := func(ctx context.Context) (types.UID, error) {
		account, err := client.ServiceAccounts("fresh").Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return account.UID, nil
	}
	before, err := uid(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ServiceAccounts("fresh").Delete(t.Context(), "default", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		after, err := uid(ctx)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return after != before, err
	})
	if err != nil {
		t.Errorf("the account does not come back: %v", err)
	}

	none := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "q"}, Spec: corev1.PodSpec{ServiceAccountName: "none", Containers: pod.Spec.Containers[:0:0]}}
	_, err = client.Pods("fresh").Create(t.Context(), none, metav1.CreateOptions{})
	if want := `pods "q" is forbidden: error looking up service account fresh/none: serviceaccount "none" not found`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Without the plugin a pod is what it was; without the controller there is no account.
func TestControllerOff(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	server := stoatest.Start(t, stoatest.WithFlags("--controllers=-*", "--disable-admission-plugins=ServiceAccount"))
	client := kubernetes.NewForConfigOrDie(server.Config()).CoreV1()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	pod, err := client.Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil || len(pod.Spec.Volumes) > 0 {
		t.Errorf("pod %+v, %v", pod, err)
	}
	accounts, err := client.ServiceAccounts("").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(accounts.Items) > 0 {
		t.Errorf("accounts %v, %v", accounts, err)
	}
}
