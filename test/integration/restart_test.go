// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/stoatest"
)

// TestRestartOtherRange has a server start with another range of cluster IPs than it
// had. The objects of the first start hold, as in Kubernetes.
func TestRestartOtherRange(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithDataDir(startedOnce(t, nil)), stoatest.WithFlags("--service-cluster-ip-range=10.7.0.0/24"))
	client := kubernetes.NewForConfigOrDie(server.Config())
	if diff := cmp.Diff([]string{"10.0.0.1"}, kubernetesIPs(t, client)); diff != "" {
		t.Errorf("addresses of the service of the server (-want +got):\n%s", diff)
	}
	cidr, err := client.NetworkingV1().ServiceCIDRs().Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"10.0.0.0/24"}, cidr.Spec.CIDRs); diff != "" {
		t.Errorf("default service CIDR (-want +got):\n%s", diff)
	}
	_, err = client.CoreV1().Services("default").Create(t.Context(), serviceAt("a", "10.7.0.9"), metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) {
		t.Errorf("service in a range that is only in the flags: %v, want Invalid", err)
	}
	eventually(t, func() string {
		events, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=ServiceCIDR"})
		if err != nil {
			return err.Error()
		}
		var got []string
		for _, e := range events.Items {
			got = append(got, e.Source.Component+" "+e.Type+" "+e.Reason+": "+e.Message)
		}
		return cmp.Diff([]string{"kubernetes-service-cidr-controller Warning KubernetesDefaultServiceCIDRInconsistent: " +
			"The default ServiceCIDR [10.0.0.0/24] does not match the controller flag configurations [10.7.0.0/24]"}, got)
	})
}

// TestRestartDualStack has a server start with a second range of cluster IPs.
func TestRestartDualStack(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithDataDir(startedOnce(t, nil)), stoatest.WithFlags("--service-cluster-ip-range=10.0.0.0/24,fd00:1::/108"))
	client := kubernetes.NewForConfigOrDie(server.Config())
	dual := serviceAt("a", "")
	dual.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
	got, err := client.CoreV1().Services("default").Create(t.Context(), dual, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}, got.Spec.IPFamilies); diff != "" || len(got.Spec.ClusterIPs) != 2 {
		t.Errorf("a dual stack service has %v, families (-want +got):\n%s", got.Spec.ClusterIPs, diff)
	}
}

// TestRestartWithoutService has servers that cannot make their service. They are
// ready, and make it when there is room.
func TestRestartWithoutService(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before *corev1.Service
		ips    string
		mend   func(*testing.T, kubernetes.Interface) error
		want   string
	}{
		"address in no range": {
			ips: "10.7.0.0/24", want: "10.7.0.1",
			mend: func(t *testing.T, client kubernetes.Interface) error {
				_, err := client.NetworkingV1().ServiceCIDRs().Create(t.Context(), &networkingv1.ServiceCIDR{
					ObjectMeta: metav1.ObjectMeta{Name: "more"}, Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.7.0.0/24"}},
				}, metav1.CreateOptions{})
				return err
			},
		},
		"address of another service": {
			before: serviceAt("first", "10.0.0.129"), ips: "10.0.0.128/25", want: "10.0.0.129",
			mend: func(t *testing.T, client kubernetes.Interface) error {
				return client.CoreV1().Services("default").Delete(t.Context(), "first", metav1.DeleteOptions{})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := startedOnce(t, tc.before)
			forget(t, dir, "/registry/services/specs/default/kubernetes", "/registry/ipaddresses/10.0.0.1")
			server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--service-cluster-ip-range="+tc.ips))
			client := kubernetes.NewForConfigOrDie(server.Config())
			if got := kubernetesIPs(t, client); got != nil {
				t.Fatalf("the service of the server is there already, at %v", got)
			}
			if err := tc.mend(t, client); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() string {
				return cmp.Diff([]string{tc.want}, kubernetesIPs(t, client))
			})
		})
	}
}

// TestRestartAfterCrash has a server whose predecessor died when it had claimed the
// address of its service and had not yet written the service.
func TestRestartAfterCrash(t *testing.T) {
	t.Parallel()
	dir := startedOnce(t, nil)
	forget(t, dir, "/registry/services/specs/default/kubernetes")
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	if diff := cmp.Diff([]string{"10.0.0.1"}, kubernetesIPs(t, kubernetes.NewForConfigOrDie(server.Config()))); diff != "" {
		t.Errorf("addresses of the service of the server (-want +got):\n%s", diff)
	}
}

// startedOnce returns the data of a server that made a service, unless it is nil.
func startedOnce(t *testing.T, obj *corev1.Service) string {
	t.Helper()
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	defer server.Stop()
	if obj == nil {
		return dir
	}
	if _, err := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Services("default").Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// forget deletes keys of a server that is stopped: a running one would make its
// service again.
func forget(t *testing.T, dir string, keys ...string) {
	t.Helper()
	store, err := etcd.Start(t.Context(), etcd.Config{Dir: filepath.Join(dir, "etcd"), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Stop(context.WithoutCancel(t.Context())) }()
	for _, key := range keys {
		if deleted, err := store.Client().Delete(t.Context(), key); err != nil || deleted.Deleted != 1 {
			t.Fatalf("delete %s: %v, %v", key, deleted, err)
		}
	}
}

// kubernetesIPs are the addresses of the service of the server; nil without one.
func kubernetesIPs(t *testing.T, client kubernetes.Interface) []string {
	t.Helper()
	got, err := client.CoreV1().Services("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return got.Spec.ClusterIPs
}

func serviceAt(name, ip string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec:       corev1.ServiceSpec{ClusterIP: ip, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}
