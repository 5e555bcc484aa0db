// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"math/big"
	"net/netip"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"github.com/stoa-project/stoa/apis/core"
	corehub "github.com/stoa-project/stoa/apis/core/v1"
	"github.com/stoa-project/stoa/apis/networking"
	networkinghub "github.com/stoa-project/stoa/apis/networking/v1"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/etcd"
)

// testOptions store below /test, without caches.
type testOptions struct {
	codecs    serializer.CodecFactory
	endpoints []string
}

func (o testOptions) GetRESTOptions(resource schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	config := storagebackend.NewDefaultConfig("/test", o.codecs.LegacyCodec(corev1.SchemeGroupVersion, networkingv1.SchemeGroupVersion))
	config.Transport.ServerList = o.endpoints
	return generic.RESTOptions{StorageConfig: config.ForResource(resource), ResourcePrefix: resource.Resource, Decorator: generic.UndecoratedStorage}, nil
}

// newConfig starts an etcd.
func newConfig(t *testing.T, scheme *runtime.Scheme, ports utilnet.PortRange, ranges ...string) Config {
	t.Helper()
	server, err := etcd.Start(t.Context(), etcd.Config{Dir: path.Join(t.TempDir(), "etcd"), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.WithoutCancel(t.Context())) })
	c := Config{Options: testOptions{serializer.NewCodecFactory(scheme), server.Endpoints()}, NodePorts: ports}
	for _, r := range ranges {
		c.Ranges = append(c.Ranges, netip.MustParsePrefix(r))
	}
	return c
}

func newAllocator(t *testing.T, ports utilnet.PortRange, ranges ...string) *Allocator {
	t.Helper()
	scheme := runtime.NewScheme()
	kind.Types(corehub.AddToScheme, networkinghub.AddToScheme)(scheme)
	a, err := New(newConfig(t, scheme, ports, ranges...))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var somePorts = utilnet.PortRange{Base: 30000, Size: 20}

// write does what the store does around a write.
func (a *Allocator) write(t *testing.T, svc, old *corev1.Service) error {
	t.Helper()
	ctx, end := a.begin(t.Context())
	finish, err := a.try(ctx, &transaction{svc: svc, old: old})
	if err != nil {
		end(nil)
		return err
	}
	if old != nil {
		DropUnused(svc, old)
	}
	finish(ctx, true)
	end((*core.Service)(svc))
	return nil
}

func newService(name string, kind corev1.ServiceType, ports ...corev1.ServicePort) *corev1.Service {
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}, Spec: corev1.ServiceSpec{Type: kind, Ports: ports}}
	corehub.SetDefaults_Service(svc)
	return svc
}

func (a *Allocator) claimed(t *testing.T) (ips []string, ports []int32) {
	t.Helper()
	list, err := a.addresses.list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		ips = append(ips, list.Items[i].Name)
	}
	slices.Sort(ips)
	stored := &core.RangeAllocation{}
	if err := a.ports.store.Get(t.Context(), portsKey, storage.GetOptions{IgnoreNotFound: true}, stored); err != nil {
		t.Fatal(err)
	}
	return ips, a.ports.bitmap(stored).ports()
}

// A service goes through all types; it has what it needs, and no more is claimed.
func TestTransitions(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, somePorts, "10.0.0.0/24")
	check := func(what string, svc *corev1.Service) {
		t.Helper()
		wantIPs := slices.DeleteFunc(slices.Clone(svc.Spec.ClusterIPs), func(ip string) bool { return ip == "None" })
		wantPorts := nodePorts(svc)
		if svc.Spec.HealthCheckNodePort != 0 {
			wantPorts = append(wantPorts, svc.Spec.HealthCheckNodePort)
		}
		slices.Sort(wantPorts)
		ips, ports := a.claimed(t)
		if !slices.Equal(ips, wantIPs) || !slices.Equal(ports, wantPorts) {
			t.Errorf("%s: %v and %v are claimed, the service has %v and %v", what, ips, ports, wantIPs, wantPorts)
		}
	}
	svc := newService("s", corev1.ServiceTypeClusterIP, corev1.ServicePort{Name: "a", Port: 80}, corev1.ServicePort{Name: "b", Port: 81})
	if err := a.write(t, svc, nil); err != nil {
		t.Fatal(err)
	}
	check("new", svc)
	if svc.Spec.ClusterIP == "" || len(svc.Spec.ClusterIPs) != 1 || *svc.Spec.IPFamilyPolicy != single {
		t.Fatalf("spec: %+v", svc.Spec)
	}
	for _, step := range []struct {
		name  string
		edit  func(*corev1.ServiceSpec)
		ips   int
		ports int
	}{
		{"node port", func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeNodePort }, 1, 2},
		{"another port", func(s *corev1.ServiceSpec) {
			s.Ports[0].NodePort = 30019
			if s.Ports[1].NodePort == 30019 {
				s.Ports[0].NodePort = 30018
			}
		}, 1, 2},
		{"one port less", func(s *corev1.ServiceSpec) { s.Ports = s.Ports[:1] }, 1, 1},
		{"local load balancer", func(s *corev1.ServiceSpec) {
			s.Type, s.ExternalTrafficPolicy = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal
		}, 1, 2},
		{"load balancer", func(s *corev1.ServiceSpec) { s.ExternalTrafficPolicy, s.HealthCheckNodePort = "Cluster", 0 }, 1, 1},
		{"external name", func(s *corev1.ServiceSpec) {
			s.Type, s.ExternalName, s.ExternalTrafficPolicy, s.AllocateLoadBalancerNodePorts = corev1.ServiceTypeExternalName, "x.example.com", "", nil
		}, 0, 0},
		{"cluster IP", func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeClusterIP }, 1, 0},
	} {
		old := svc.DeepCopy()
		step.edit(&svc.Spec)
		corehub.SetDefaults_Service(svc)
		if err := a.write(t, svc, old); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		check(step.name, svc)
		ips, ports := a.claimed(t)
		if len(ips) != step.ips || len(ports) != step.ports {
			t.Errorf("%s: claimed %v and %v", step.name, ips, ports)
		}
	}
	a.afterDelete(svc, &metav1.DeleteOptions{DryRun: []string{"All"}})
	check("deleted in a dry run", svc)
	a.afterDelete(svc, &metav1.DeleteOptions{})
	if ips, ports := a.claimed(t); len(ips)+len(ports) > 0 {
		t.Errorf("after the delete %v and %v are claimed", ips, ports)
	}
}

// What a refused, failed or dry write claimed is free again.
func TestRollback(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, somePorts, "10.0.0.0/24")
	local := newService("s", corev1.ServiceTypeLoadBalancer, corev1.ServicePort{Port: 80})
	local.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	ctx, end := a.begin(t.Context())
	if _, err := a.try(ctx, &transaction{svc: local.DeepCopy()}); err != nil {
		t.Fatal(err)
	}
	if ips, ports := a.claimed(t); len(ips) != 1 || len(ports) != 2 {
		t.Errorf("claimed %v and %v", ips, ports)
	}
	end(nil)
	dry := local.DeepCopy()
	ctx, end = a.begin(t.Context())
	finish, err := a.try(ctx, &transaction{svc: dry, dry: true})
	if err != nil {
		t.Fatal(err)
	}
	finish(ctx, true)
	end((*core.Service)(dry))
	if got := []int32{dry.Spec.Ports[0].NodePort, dry.Spec.HealthCheckNodePort}; !slices.Equal(got, []int32{32769, 32770}) || dry.Spec.ClusterIP != "10.0.0.0" {
		t.Errorf("a dry run made up %v and %s", got, dry.Spec.ClusterIP)
	}
	refused := newService("r", corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80, NodePort: 1})
	want := `Service "r" is invalid: spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. The range of valid ports is 30000-30019`
	if err := a.write(t, refused, nil); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if ips, ports := a.claimed(t); len(ips)+len(ports) > 0 {
		t.Errorf("%v and %v are still claimed", ips, ports)
	}
}

func TestChosenIPs(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, somePorts, "10.0.0.0/24")
	for i, tc := range []struct{ ip, want string }{
		{"10.0.0.7", ""},
		{"10.0.0.7", "provided IP is already allocated"},
		{"10.0.0.0", "the provided network does not match the current range"},
		{"10.0.0.255", "the provided network does not match the current range"},
		{"10.0.1.1", "the provided network does not match the current range"},
	} {
		svc := newService(fmt.Sprint("s", i), corev1.ServiceTypeClusterIP)
		svc.Spec.ClusterIP = tc.ip
		want := ""
		if tc.want != "" {
			want = fmt.Sprintf("Service %q is invalid: spec.clusterIPs: Invalid value: [%q]: failed to allocate IP %s: %s", svc.Name, tc.ip, tc.ip, tc.want)
		}
		got := ""
		if err := a.write(t, svc, nil); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", tc.ip, got, want)
		}
	}
}

// Of more requests than there are addresses and ports, as many succeed as there are,
// and no two have the same.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, utilnet.PortRange{Base: 30000, Size: 10}, "10.0.0.0/28")
	const tries = 30
	services := make([]*corev1.Service, tries)
	var group sync.WaitGroup
	for i := range tries {
		group.Go(func() {
			kind := corev1.ServiceTypeClusterIP
			if i%2 == 0 {
				kind = corev1.ServiceTypeNodePort
			}
			svc := newService(fmt.Sprint(i), kind, corev1.ServicePort{Port: 80})
			if a.write(t, svc, nil) == nil {
				services[i] = svc
			}
		})
	}
	group.Wait()
	services = slices.DeleteFunc(services, func(s *corev1.Service) bool { return s == nil })
	ips, ports := a.claimed(t)
	var wantIPs []string
	var wantPorts []int32
	for _, svc := range services {
		wantIPs = append(wantIPs, svc.Spec.ClusterIP)
		wantPorts = append(wantPorts, nodePorts(svc)...)
	}
	slices.Sort(wantIPs)
	slices.Sort(wantPorts)
	if diff := cmp.Diff(wantIPs, ips); diff != "" || len(slices.Compact(slices.Clone(ips))) != len(ips) {
		t.Errorf("addresses (-services +claimed):\n%s", diff)
	}
	if diff := cmp.Diff(wantPorts, ports); diff != "" {
		t.Errorf("ports (-services +claimed):\n%s", diff)
	}
	for _, svc := range services {
		a.afterDelete(svc, &metav1.DeleteOptions{})
	}
	if ips, ports := a.claimed(t); len(ips)+len(ports) > 0 {
		t.Errorf("after all deletes %v and %v are claimed", ips, ports)
	}
	// Every address can be had.
	for i := range 14 {
		if err := a.write(t, newService(fmt.Sprint(i), corev1.ServiceTypeClusterIP), nil); err != nil {
			t.Errorf("service %d: %v", i, err)
		}
	}
	if err := a.write(t, newService("x", corev1.ServiceTypeClusterIP), nil); err == nil {
		t.Error("a full range gave an address")
	}
}

// countingStore counts how often a store is listed.
type countingStore struct {
	storage.Interface
	lists int
}

func (s *countingStore) GetList(ctx context.Context, key string, options storage.ListOptions, list runtime.Object) error {
	s.lists++
	return s.Interface.GetList(ctx, key, options, list)
}

// However many addresses are taken, they are listed once for a service.
func TestListsOfFullRange(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, somePorts, "10.0.0.0/24")
	counted := &countingStore{Interface: a.addresses.ips}
	a.addresses.ips = counted
	b := newBlock(netip.MustParsePrefix("10.0.0.0/24"))
	last := b.at(b.static) // not one of those left to users
	for n := range b.size {
		if ip := b.at(n); ip != last {
			if _, err := a.addresses.create(t.Context(), newService("all", corev1.ServiceTypeClusterIP), ip); err != nil {
				t.Fatal(err)
			}
		}
	}
	svc := newService("last", corev1.ServiceTypeClusterIP)
	if err := a.write(t, svc, nil); err != nil || svc.Spec.ClusterIP != last.String() {
		t.Errorf("got %q, %v, want %s", svc.Spec.ClusterIP, err, last)
	}
	if counted.lists > 1 {
		t.Errorf("the addresses were listed %d times for the last one", counted.lists)
	}
	counted.lists = 0
	const want = "Internal error occurred: failed to allocate a serviceIP: range is full"
	if err := a.write(t, newService("more", corev1.ServiceTypeClusterIP), nil); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if counted.lists != 1 {
		t.Errorf("the addresses were listed %d times to see that all are taken, want once", counted.lists)
	}
}

func TestDualStack(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, somePorts, "fd00::/112", "10.0.0.0/24")
	svc := newService("s", corev1.ServiceTypeClusterIP)
	if err := a.write(t, svc, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(svc.Spec.IPFamilies, []corev1.IPFamily{"IPv6"}) {
		t.Errorf("the first family is %v", svc.Spec.IPFamilies)
	}
	up := svc.DeepCopy()
	up.Spec.IPFamilyPolicy = new(require)
	if err := a.write(t, up, svc); err != nil {
		t.Fatal(err)
	}
	ips, _ := a.claimed(t)
	if len(up.Spec.ClusterIPs) != 2 || len(ips) != 2 || up.Spec.ClusterIPs[0] != svc.Spec.ClusterIP {
		t.Errorf("dual stack: %v, claimed %v", up.Spec.ClusterIPs, ips)
	}
	reduced := up.DeepCopy()
	reduced.Spec.ClusterIPs = reduced.Spec.ClusterIPs[:1]
	want := `Service "s" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be 'SingleStack' to release the secondary cluster IP`
	if err := a.write(t, reduced, up.DeepCopy()); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	down := up.DeepCopy()
	down.Spec.IPFamilyPolicy = new(single)
	if err := a.write(t, down, up); err != nil {
		t.Fatal(err)
	}
	if ips, _ := a.claimed(t); !slices.Equal(ips, svc.Spec.ClusterIPs) {
		t.Errorf("single stack again: claimed %v, want %v", ips, svc.Spec.ClusterIPs)
	}
	headless := newService("h", corev1.ServiceTypeClusterIP)
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	if err := a.write(t, headless, nil); err != nil || len(headless.Spec.IPFamilies) != 2 {
		t.Errorf("headless without selector: %v, %v", headless.Spec.IPFamilies, err)
	}
}

// The ranges in use are those of the objects; a default one that nobody has made yet
// is in use too.
func TestServiceCIDRs(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, somePorts, "10.0.0.0/24")
	if warning, err := a.EnsureCIDR(t.Context()); err != nil || warning != (Warning{}) {
		t.Fatal(warning, err)
	}
	stored := &networking.ServiceCIDR{}
	key := a.addresses.cidrPath + "/kubernetes"
	if err := a.addresses.cidrs.Get(t.Context(), key, storage.GetOptions{}, stored); err != nil {
		t.Fatal(err)
	}
	if c := stored.Status.Conditions; len(c) != 1 || c[0].Type != "Ready" || c[0].Status != metav1.ConditionTrue {
		t.Errorf("conditions: %v", c)
	}
	more := &networking.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: "more"}}
	more.Spec.CIDRs = []string{"10.1.0.0/24"}
	if err := a.addresses.cidrs.Create(t.Context(), a.addresses.cidrPath+"/more", more, nil, 0); err != nil {
		t.Fatal(err)
	}
	svc := newService("s", corev1.ServiceTypeClusterIP)
	svc.Spec.ClusterIP = "10.1.0.9"
	if err := a.write(t, svc, nil); err != nil {
		t.Error(err)
	}
	if err := a.addresses.cidrs.GuaranteedUpdate(t.Context(), key, &networking.ServiceCIDR{}, false, nil,
		storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
			obj.(*networking.ServiceCIDR).Status.Conditions[0].Status = metav1.ConditionFalse
			return obj, nil
		}), nil); err != nil {
		t.Fatal(err)
	}
	warning, err := a.EnsureCIDR(t.Context()) // which leaves it so
	if err != nil || warning.Message != "Configuration matches, but Kubernetes default Service CIDR is ready" {
		t.Error(warning, err)
	}
	other := newService("o", corev1.ServiceTypeClusterIP)
	other.Spec.ClusterIP = "10.0.0.9"
	if err := a.write(t, other, nil); err == nil {
		t.Error("a range that is not ready gave an address")
	}
}

// What a server with other ranges makes of the default ServiceCIDR.
func TestRangesChange(t *testing.T) {
	t.Parallel()
	const v4, v6, other = "10.0.0.0/24", "fd00::/112", "10.1.0.0/24"
	for _, tc := range []struct {
		before, after, want []string
		reason, message     string
	}{
		{before: []string{v4}, after: []string{v4}, want: []string{v4}},
		{before: []string{v4}, after: []string{v4, v6}, want: []string{v4, v6}},
		{
			before: []string{v4}, after: []string{v6, v4}, want: []string{v4},
			reason: "KubernetesDefaultServiceCIDRInconsistent", message: "The default ServiceCIDR [10.0.0.0/24] does not match the controller flag configurations [fd00::/112 10.0.0.0/24]",
		},
		{
			before: []string{v4, v6}, after: []string{v4}, want: []string{v4, v6},
			reason: "KubernetesDefaultServiceCIDRInconsistent", message: "The default ServiceCIDR [10.0.0.0/24 fd00::/112] does not match the controller flag configurations [10.0.0.0/24]",
		},
		{
			before: []string{v4}, after: []string{other}, want: []string{v4},
			reason: "KubernetesDefaultServiceCIDRInconsistent", message: "The default ServiceCIDR [10.0.0.0/24] does not match the controller flag configurations [10.1.0.0/24]",
		},
	} {
		t.Run(fmt.Sprint(tc.before, tc.after), func(t *testing.T) {
			t.Parallel()
			a := newAllocator(t, somePorts, tc.before...)
			if _, err := a.EnsureCIDR(t.Context()); err != nil {
				t.Fatal(err)
			}
			stored := func() (out networking.ServiceCIDR) {
				if err := a.addresses.cidrs.Get(t.Context(), a.addresses.cidrPath+"/kubernetes", storage.GetOptions{}, &out); err != nil {
					t.Fatal(err)
				}
				return out
			}
			version := stored().ResourceVersion
			a.addresses.ranges = nil
			for _, r := range tc.after {
				a.addresses.ranges = append(a.addresses.ranges, netip.MustParsePrefix(r))
			}
			warning, err := a.EnsureCIDR(t.Context())
			if err != nil || warning.Reason != tc.reason || warning.Message != tc.message {
				t.Error(warning, err)
			}
			got := stored()
			if !slices.Equal(got.Spec.CIDRs, tc.want) {
				t.Errorf("ranges %v, want %v", got.Spec.CIDRs, tc.want)
			}
			if slices.Equal(tc.before, tc.want) && got.ResourceVersion != version {
				t.Error("it was written without a change")
			}
		})
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	a := newAllocator(t, somePorts, "10.0.0.0/24")
	svc := newService("s", corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80, NodePort: 30001})
	svc.Spec.ClusterIP, svc.Spec.ClusterIPs = "10.0.0.5", []string{"10.0.0.5"}
	if err := a.services.Create(t.Context(), a.servicesPath+"/a/s", (*core.Service)(svc), nil, 0); err != nil {
		t.Fatal(err)
	}
	gone := newService("gone", corev1.ServiceTypeClusterIP)
	for i, age := range []time.Duration{time.Hour, 0} {
		address := newIPAddress(gone, netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", 10+i)))
		address.CreationTimestamp = metav1.NewTime(time.Now().Add(-age))
		if err := a.addresses.ips.Create(t.Context(), a.addresses.key(address.Name), address, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.ports.claim(t.Context(), []portRequest{{want: 30002, set: func(int32) {}}}); err != nil {
		t.Fatal(err)
	}
	services := &countingStore{Interface: a.services}
	a.services = services
	for range leakRepairs {
		services.lists = 0
		if err := a.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		if services.lists != 1 {
			t.Errorf("a repair listed services %d times, want once", services.lists)
		}
		if ips, ports := a.claimed(t); !slices.Equal(ips, []string{"10.0.0.11", "10.0.0.5"}) || !slices.Equal(ports, []int32{30001, 30002}) {
			t.Fatalf("claimed %v and %v", ips, ports)
		}
	}
	if err := a.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ports := a.claimed(t); !slices.Equal(ports, []int32{30001}) {
		t.Errorf("ports %v are claimed, want that of the service", ports)
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		prefix, first, last string
		size, static        uint64
	}{
		{"10.0.0.0/24", "10.0.0.1", "10.0.0.254", 254, 16},
		{"10.0.0.0/28", "10.0.0.1", "10.0.0.14", 14, 0},
		{"10.0.0.0/27", "10.0.0.1", "10.0.0.30", 30, 16},
		{"10.96.0.0/12", "10.96.0.1", "10.111.255.254", 1<<20 - 2, 256},
		{"fd00::/112", "fd00::1", "fd00::ffff", 65535, 256},
		{"fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff", 1<<64 - 1, 256},
	} {
		b := newBlock(netip.MustParsePrefix(tc.prefix))
		if b.first.String() != tc.first || b.size != tc.size || b.static != tc.static || b.at(b.size-1).String() != tc.last {
			t.Errorf("%s: %+v, last %s", tc.prefix, b, b.at(b.size-1))
		}
		if b.has(b.prefix.Addr()) || !b.has(b.first) || !b.has(b.at(b.size-1)) || b.has(b.at(b.size-1).Next()) {
			t.Errorf("%s has the wrong addresses", tc.prefix)
		}
	}
	b := newBlock(netip.MustParsePrefix("10.0.0.0/27"))
	seen := map[netip.Addr]bool{}
	for _, part := range b.bands() {
		b.each(part, func(ip netip.Addr) bool {
			if part.start > 0 && ip.Less(b.at(b.static)) {
				t.Errorf("%s is left to users", ip)
			}
			seen[ip] = true
			return false
		})
	}
	if len(seen) != 30 {
		t.Errorf("%d addresses, want 30", len(seen))
	}
}

// The bits are where upstream has them, and survive a change of the range.
func TestPortBitmap(t *testing.T) {
	t.Parallel()
	p := &ports{all: utilnet.PortRange{Base: 30010, Size: 100}}
	stored := &core.RangeAllocation{Range: "30000-30099", Data: new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), 5, 1), 20, 1).Bytes()}
	if got := p.bitmap(stored).ports(); !slices.Equal(got, []int32{30020}) {
		t.Errorf("ports %v, want those in both ranges", got)
	}
	before := &ports{all: utilnet.PortRange{Base: 30000, Size: 100}}
	if got := before.bitmap(stored).ports(); !slices.Equal(got, []int32{30005, 30020}) {
		t.Errorf("ports %v", got)
	}
}
