// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespacedefaults_test

import (
	"context"
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

type world struct {
	*testing.T

	client kubernetes.Interface
}

func (w world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// configure writes the config map.
func (w world) configure(data map[string]string) {
	w.Helper()
	configMaps := w.client.CoreV1().ConfigMaps("kube-system")
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "namespace-defaults"}, Data: data}
	_, err := configMaps.Update(w.Context(), configMap, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = configMaps.Create(w.Context(), configMap, metav1.CreateOptions{})
	}
	w.must(err)
}

func (w world) namespace(name string, labels map[string]string) {
	w.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	_, err := w.client.CoreV1().Namespaces().Create(w.Context(), namespace, metav1.CreateOptions{})
	w.must(err)
}

// pods is how many pods the quota of a namespace allows; "" if there is none.
func (w world) pods(ctx context.Context, namespace string) (string, error) {
	quota, err := w.client.CoreV1().ResourceQuotas(namespace).Get(ctx, "namespace-defaults", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	return quota.Spec.Hard.Pods().String(), err
}

func (w world) waitFor(namespace, pods string) {
	w.Helper()
	var got string
	err := wait.PollUntilContextTimeout(w.Context(), 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (_ bool, err error) {
		got, err = w.pods(ctx, namespace)
		return got == pods, err
	})
	if err != nil {
		w.Fatalf("namespace %s: %v: %q, want %q", namespace, err, got, pods)
	}
}

// has says what a namespace has that is not to change any more.
func (w world) has(namespace, pods string) {
	w.Helper()
	if got, err := w.pods(w.Context(), namespace); err != nil || got != pods {
		w.Errorf("namespace %s: %q, %v; want %q", namespace, got, err, pods)
	}
}

func TestController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	w := world{t, kubernetes.NewForConfigOrDie(stoatest.Start(t).Config())}
	ctx := t.Context()
	w.namespace("before", nil)
	w.configure(map[string]string{
		"resourcequota": "hard: {pods: 3, requests.cpu: 1500m}",
		"limitrange":    "limits: [{type: Container, default: {cpu: 200m}}]",
	})
	w.waitFor("before", "3")
	w.namespace("after", nil)
	w.namespace("excepted", map[string]string{"tenancy.stoa.dev/namespace-defaults": "false"})
	w.namespace("edited", nil)
	w.waitFor("after", "3")
	w.waitFor("edited", "3")
	var limits *corev1.LimitRange
	err := wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (_ bool, err error) {
		limits, err = w.client.CoreV1().LimitRanges("after").Get(ctx, "namespace-defaults", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil || limits.Spec.Limits[0].DefaultRequest.Cpu().String() != "200m" {
		t.Errorf("limits %+v, %v", limits, err)
	}

	edit := []byte(`{"spec":{"hard":{"pods":"10"}}}`)
	_, err = w.client.CoreV1().ResourceQuotas("edited").Patch(ctx, "namespace-defaults", types.MergePatchType, edit, metav1.PatchOptions{})
	w.must(err)
	w.configure(map[string]string{"resourcequota": "hard: {pods: 4}", "limitrange": "limits: [{type: Container, default: {cpu: 300m}}]"})
	w.waitFor("after", "4")
	w.waitFor("before", "4")
	// A mistake changes nothing: the next change shows that it was seen.
	for _, text := range []string{"hard: {pods: -1}", "hard: {pods: many}", "heart: {}", "hard: ["} {
		w.configure(map[string]string{"resourcequota": text})
	}
	w.namespace("later", nil)
	w.waitFor("later", "4")
	w.configure(map[string]string{"resourcequota": "hard: {pods: 5}"})
	for _, namespace := range []string{"before", "after", "later"} {
		w.waitFor(namespace, "5")
	}
	w.has("edited", "10")
	w.has("excepted", "")
	w.has("default", "")
	w.has("kube-system", "")

	// Without the config map what is there stays.
	w.must(w.client.CoreV1().ConfigMaps("kube-system").Delete(ctx, "namespace-defaults", metav1.DeleteOptions{}))
	w.has("before", "5")
}
