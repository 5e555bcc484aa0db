// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/authz/node"
)

// BenchmarkAuthorize decides about a secret among those of many pods, each of which has
// an own one, an own claim, and two config maps with others. It reports what the
// relations need.
func BenchmarkAuthorize(b *testing.B) {
	for _, count := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d pods", count), func(b *testing.B) {
			client := fake.NewClientset()
			client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, k8sruntime.Object, error) { return true, manyPods(count), nil })
			ctx, cancel := context.WithCancel(b.Context())
			a := node.New(nil, node.Sources(client))
			done := make(chan struct{})
			before := heap()
			go func() {
				defer close(done)
				a.Run(ctx)
			}()
			request := authorizer.AttributesRecord{User: kubelet("node-7"), Verb: "get", Resource: "secrets", Namespace: "namespace-7", Name: "secret-7", ResourceRequest: true}
			if decision, reason, err := a.Authorize(ctx, request); decision != authorizer.DecisionAllow {
				b.Fatal(reason, err)
			}
			kept := float64(heap() - before)
			for b.Loop() {
				_, _, _ = a.Authorize(ctx, request)
			}
			b.ReportMetric(kept/float64(count), "B/pod")
			cancel()
			<-done
		})
	}
}

// heap is what is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one has made unreachable
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func manyPods(count int) *corev1.PodList {
	out := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for i := range count {
		pod := everyKind(fmt.Sprintf("node-%d", i%100))
		pod.Namespace, pod.Name = fmt.Sprintf("namespace-%d", i%50), fmt.Sprintf("pod-%d", i)
		pod.Spec.Volumes = []corev1.Volume{secretVolume(fmt.Sprintf("secret-%d", i)), claimVolume(fmt.Sprintf("claim-%d", i))}
		pod.Spec.Containers[0].EnvFrom, pod.Spec.InitContainers, pod.Spec.EphemeralContainers = pod.Spec.Containers[0].EnvFrom[1:], nil, nil
		pod.Spec.ImagePullSecrets, pod.Spec.ResourceClaims, pod.Status = nil, nil, corev1.PodStatus{}
		out.Items = append(out.Items, *pod)
	}
	return out
}
