// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/apis/core"
	corehub "github.com/stoa-project/stoa/apis/core/v1"
	"github.com/stoa-project/stoa/server/etcd"
)

// Servers come and go; the endpoints are those that are there, and the last one.
func TestKubernetesEndpoints(t *testing.T) {
	t.Parallel()
	server, err := etcd.Start(t.Context(), etcd.Config{Dir: path.Join(t.TempDir(), "etcd"), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Stop(context.WithoutCancel(t.Context())) }()
	scheme := runtime.NewScheme()
	if err := corehub.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	config := storagebackend.NewDefaultConfig("/test", serializer.NewCodecFactory(scheme).LegacyCodec(corev1.SchemeGroupVersion))
	config.Transport.ServerList = server.Endpoints()
	leases, closeLeases, err := generic.UndecoratedStorage(config.ForResource(core.Resource("apiserveripinfo")), LeasesPrefix, nil,
		func() runtime.Object { return &core.Endpoints{} }, func() runtime.Object { return &core.EndpointsList{} }, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLeases()

	client := fake.NewClientset()
	one := KubernetesEndpoints{Client: client, Leases: leases, IP: netip.MustParseAddr("192.0.2.1"), Port: 6443}
	two := one
	two.IP = netip.MustParseAddr("192.0.2.2")
	for _, step := range []struct {
		name string
		do   func(context.Context) error
		want []string
	}{
		{"first comes", one.Refresh, []string{"192.0.2.1"}},
		{"second comes", two.Refresh, []string{"192.0.2.1", "192.0.2.2"}},
		{"first stays", one.Refresh, []string{"192.0.2.1", "192.0.2.2"}},
		{"first goes", one.Leave, []string{"192.0.2.2"}},
		{"second goes", two.Leave, []string{"192.0.2.2"}},
	} {
		if err := step.do(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		endpoints, err := client.CoreV1().Endpoints("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, address := range endpoints.Subsets[0].Addresses {
			got = append(got, address.IP)
		}
		slice, err := client.DiscoveryV1().EndpointSlices("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var sliced []string
		for _, endpoint := range slice.Endpoints {
			sliced = append(sliced, endpoint.Addresses...)
		}
		if !slices.Equal(got, step.want) || !slices.Equal(sliced, step.want) {
			t.Errorf("%s: endpoints %v, slice %v, want %v", step.name, got, sliced, step.want)
		}
	}
	// Where kube-apiserver looks for it too.
	if err := one.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored, err := server.Client().Get(t.Context(), "/test/masterleases/192.0.2.1")
	if err != nil || len(stored.Kvs) != 1 || stored.Kvs[0].Lease == 0 {
		t.Errorf("stored lease: %v, %v", stored, err)
	}
}
