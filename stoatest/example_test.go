// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package stoatest_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// A test starts a server, and uses it as it would any cluster.
func TestStart(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	client, err := kubernetes.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Data: map[string]string{"key": "value"}}
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil || got.Data["key"] != "value" {
		t.Errorf("got %v, %v", got, err)
	}
}

// A second server on the same data finds what the first one stored.
func TestWithDataDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 2 {
		server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFsync())
		client, err := kubernetes.NewForConfig(server.Config())
		if err != nil {
			t.Fatal(err)
		}
		namespaces := client.CoreV1().Namespaces()
		if i == 0 {
			_, err = namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
		} else {
			_, err = namespaces.Get(t.Context(), "kept", metav1.GetOptions{})
		}
		if err != nil {
			t.Errorf("start %d: %v", i, err)
		}
		server.Stop()
	}
}

// BenchmarkStart measures what a test pays for a server of its own.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		stoatest.Start(b).Stop()
	}
}
