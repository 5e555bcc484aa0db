// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// Whichever endpoint takes the last finalizer of a deleted service away: what the
// service had is free when the answer comes.
func TestFinalizersOfServices(t *testing.T) {
	t.Parallel()
	client := kubernetes.NewForConfigOrDie(stoatest.Start(t).Config())
	services, endpoints := client.CoreV1().Services("default"), client.CoreV1().Endpoints("default")
	newService := func(name string, port int32) *corev1.Service {
		return &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{"example.com/one"}},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80, NodePort: port}}},
		}
	}
	for _, tc := range []struct {
		name         string
		port         int32
		subresources []string
	}{{name: "main", port: 30001}, {name: "status", port: 30002, subresources: []string{"status"}}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			name := tc.name
			svc, err := services.Create(t.Context(), newService(name, tc.port), metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := endpoints.Create(t.Context(), &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := services.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			left := func() (address, ends error) {
				_, address = client.NetworkingV1().IPAddresses().Get(t.Context(), svc.Spec.ClusterIP, metav1.GetOptions{})
				_, ends = endpoints.Get(t.Context(), name, metav1.GetOptions{})
				return address, ends
			}
			if address, ends := left(); address != nil || ends != nil {
				t.Errorf("a service that waits for its finalizer has lost what it had: %v, %v", address, ends)
			}
			if _, err := services.Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}, tc.subresources...); err != nil {
				t.Fatal(err)
			}
			if _, err := services.Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Fatalf("the service: %v, want not found", err)
			}
			if address, ends := left(); !apierrors.IsNotFound(address) || !apierrors.IsNotFound(ends) {
				t.Errorf("its address: %v, its endpoints: %v, want not found", address, ends)
			}
			if _, err := services.Create(t.Context(), newService(name, tc.port), metav1.CreateOptions{}); err != nil {
				t.Errorf("another service with its port: %v", err)
			}
		})
	}
}
