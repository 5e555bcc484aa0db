// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/core"
)

const (
	// LeasesPrefix is where every server says that it is there, as upstream does.
	LeasesPrefix = "/masterleases"
	// LeaseInterval is how often a server says so.
	LeaseInterval = 10 * time.Second
	// LeaseTime is how long that holds.
	LeaseTime = 15 * time.Second
)

var errNoServers = errors.New("no server has a lease, not even this one")

// KubernetesEndpoints keeps the endpoints of the service of the server. Each server
// has a key in etcd that it refreshes; the endpoints are those that have one.
type KubernetesEndpoints struct {
	Client kubernetes.Interface
	// Leases is the store of the keys.
	Leases storage.Interface
	// IP and Port are where others reach this server.
	IP   netip.Addr
	Port int
}

// Refresh says that this server is there, and writes who is.
func (e KubernetesEndpoints) Refresh(ctx context.Context) error {
	ttl := uint64(LeaseTime / time.Second)
	err := e.Leases.GuaranteedUpdate(ctx, e.key(), &core.Endpoints{}, true, nil,
		func(in runtime.Object, _ storage.ResponseMeta) (runtime.Object, *uint64, error) {
			obj := in.(*core.Endpoints)
			obj.Subsets = []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{{IP: e.IP.String()}}}}
			obj.Generation++ // what does not change is not written
			return obj, &ttl, nil
		}, nil)
	if err != nil {
		return fmt.Errorf("refresh the lease of %s: %w", e.IP, err)
	}
	return e.write(ctx)
}

// Leave takes this server away. The last one stays: clients wait for it to come back.
func (e KubernetesEndpoints) Leave(ctx context.Context) error {
	err := e.Leases.Delete(ctx, e.key(), &core.Endpoints{}, nil, rest.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
	if err != nil && !storage.IsNotFound(err) {
		return fmt.Errorf("delete the lease of %s: %w", e.IP, err)
	}
	if err := e.write(ctx); !errors.Is(err, errNoServers) {
		return err
	}
	return nil
}

func (e KubernetesEndpoints) key() string { return path.Join(LeasesPrefix, e.IP.String()) }

func (e KubernetesEndpoints) servers(ctx context.Context) ([]string, error) {
	list := &core.EndpointsList{}
	if err := e.Leases.GetList(ctx, LeasesPrefix+"/", storage.ListOptions{Recursive: true, Predicate: storage.Everything}, list); err != nil {
		return nil, fmt.Errorf("read leases of servers: %w", err)
	}
	var ips []string
	for _, item := range list.Items {
		for _, s := range item.Subsets {
			for _, a := range s.Addresses {
				ips = append(ips, a.IP)
			}
		}
	}
	slices.Sort(ips)
	return slices.Compact(ips), nil
}

// write writes both forms of the endpoints, where they differ.
func (e KubernetesEndpoints) write(ctx context.Context) error {
	ips, err := e.servers(ctx)
	if err != nil {
		return err
	}
	if len(ips) == 0 {
		return errNoServers
	}
	if err := e.writeEndpoints(ctx, ips); err != nil {
		return fmt.Errorf("endpoints of the service %s: %w", serviceName, err)
	}
	if err := e.writeSlice(ctx, ips); err != nil {
		return fmt.Errorf("endpoint slice of the service %s: %w", serviceName, err)
	}
	return nil
}

func (e KubernetesEndpoints) writeEndpoints(ctx context.Context, ips []string) error {
	client := e.Client.CoreV1().Endpoints(metav1.NamespaceDefault)
	subset := corev1.EndpointSubset{Ports: []corev1.EndpointPort{{Name: "https", Protocol: corev1.ProtocolTCP, Port: int32(e.Port)}}}
	for _, ip := range ips {
		subset.Addresses = append(subset.Addresses, corev1.EndpointAddress{IP: ip})
	}
	obj, err := client.Get(ctx, serviceName, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return err
	}
	if missing {
		obj = &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: serviceName, Namespace: metav1.NamespaceDefault}}
	}
	same := apiequality.Semantic.DeepEqual(obj.Subsets, []corev1.EndpointSubset{subset})
	// The slice is written here, not by the controller that mirrors endpoints.
	if same && obj.Labels[discoveryv1.LabelSkipMirror] == "true" {
		return nil
	}
	obj.Subsets = []corev1.EndpointSubset{subset}
	metav1.SetMetaDataLabel(&obj.ObjectMeta, discoveryv1.LabelSkipMirror, "true")
	if missing {
		_, err = client.Create(ctx, obj, metav1.CreateOptions{})
	} else {
		_, err = client.Update(ctx, obj, metav1.UpdateOptions{})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return nil // another server did it
	}
	return err
}

func (e KubernetesEndpoints) writeSlice(ctx context.Context, ips []string) error {
	client := e.Client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault)
	want := e.slice(ips)
	got, err := client.Get(ctx, serviceName, metav1.GetOptions{})
	if err == nil && got.AddressType != want.AddressType { // which cannot be changed
		if err := client.Delete(ctx, serviceName, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		got, err = nil, apierrors.NewNotFound(discoveryv1.Resource("endpointslices"), serviceName)
	}
	switch {
	case apierrors.IsNotFound(err):
		_, err = client.Create(ctx, want, metav1.CreateOptions{})
	case err != nil:
	case apiequality.Semantic.DeepEqual(got.Endpoints, want.Endpoints) && apiequality.Semantic.DeepEqual(got.Ports, want.Ports) &&
		apiequality.Semantic.DeepEqual(got.Labels, want.Labels):
		return nil
	default:
		_, err = client.Update(ctx, want, metav1.UpdateOptions{})
	}
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// slice is of IPv6 if every server is, and else has those of IPv4.
func (e KubernetesEndpoints) slice(ips []string) *discoveryv1.EndpointSlice {
	isV6 := func(ip string) bool { addr, err := netip.ParseAddr(ip); return err == nil && addr.Is6() }
	obj := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: serviceName, Namespace: metav1.NamespaceDefault,
			Labels: map[string]string{discoveryv1.LabelServiceName: serviceName},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(e.Port))}},
	}
	v6 := !slices.ContainsFunc(ips, func(ip string) bool { return !isV6(ip) })
	if v6 {
		obj.AddressType = discoveryv1.AddressTypeIPv6
	}
	for _, ip := range ips {
		if isV6(ip) == v6 {
			obj.Endpoints = append(obj.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			})
		}
	}
	return obj
}
