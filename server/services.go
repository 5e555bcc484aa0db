// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/core/service"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/bootstrap"
)

const (
	// cidrController is who warns about the default ServiceCIDR. The name is upstream's.
	cidrController = "kubernetes-service-cidr-controller"
	// repairInterval is how often claims of services are compared with services.
	repairInterval = 3 * time.Minute
	// leaveTimeout bounds how long a server that stops tells others so.
	leaveTimeout = 2 * time.Second
)

// stores are the storages of the groups by group, version and path.
type stores map[string]map[string]map[string]rest.Storage

// kind returns the store of version v1 of a kind, or nil if it is not served.
func (s stores) kind(group, resource string) *kind.REST {
	store, _ := s[group]["v1"][resource].(*kind.REST)
	return store
}

// addServices makes services get their addresses and ports, and adds the hooks that
// make and keep the service of this server. raw opens stores without a cache.
func (s *Server) addServices(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, all stores, raw generic.RESTOptionsGetter) error {
	services := all.kind("", "services")
	if services == nil || all.kind("networking.k8s.io", "ipaddresses") == nil {
		return nil
	}
	allocator, err := service.New(service.Config{
		Options: raw, Ranges: c.clusterIPRanges, NodePorts: c.Service.NodePortRange, DeleteEndpoints: deleter(all.kind("", "endpoints")),
	})
	if err != nil {
		return fmt.Errorf("services: %w", err)
	}
	allocator.Attach(services)
	port := s.listener.Addr().(*net.TCPAddr).Port
	own := bootstrap.KubernetesService{
		Scheme: c.types.scheme, Store: services, IP: allocator.FirstIP(), Port: port, NodePort: c.Service.KubernetesNodePort,
	}
	makeCIDR := func(ctx context.Context) error {
		_, err := allocator.EnsureCIDR(ctx)
		return err
	}
	ensureCIDR, ensureService := early(ctx, makeCIDR), early(ctx, own.Ensure)
	client, err := kubernetes.NewForConfig(config.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("loopback client: %w", err)
	}
	err = s.generic.AddPostStartHook("start-"+cidrController, func(hook genericapiserver.PostStartHookContext) error {
		persist(hook, "Could not make the default service CIDR, trying again", ensureCIDR)
		go func() {
			if s.WaitReady(hook) == nil {
				keepCIDR(hook, client, allocator)
			}
		}()
		go wait.UntilWithContext(hook, logged("Could not repair what services have", allocator.Repair), repairInterval)
		return nil
	})
	if err != nil {
		return err
	}
	endpoints, err := s.kubernetesEndpoints(c, client, all, raw, port)
	if err != nil {
		return err
	}
	return s.generic.AddPostStartHook("bootstrap-controller", func(hook genericapiserver.PostStartHookContext) error {
		// A server that cannot have its service is of use all the same, and it takes
		// other requests to mend what is wrong, so readiness waits for one attempt.
		first := ensureService(hook)
		go keepService(hook, first, own.Ensure)
		if endpoints != nil {
			go func() {
				if s.WaitReady(hook) == nil {
					wait.UntilWithContext(hook, logged("Could not keep the endpoints of the server", endpoints.Refresh), bootstrap.LeaseInterval)
				}
			}()
		}
		return nil
	})
}

// kubernetesEndpoints returns what keeps the endpoints of the server, and adds the
// hook that takes the server from them when it stops; nil if it keeps none.
func (s *Server) kubernetesEndpoints(c CompletedOptions, client kubernetes.Interface, all stores, raw generic.RESTOptionsGetter, port int) (*bootstrap.KubernetesEndpoints, error) {
	ip, _ := netip.AddrFromSlice(c.advertise)
	ip = ip.Unmap()
	if c.Service.EndpointReconciler == reconcileNone || all.kind("", "endpoints") == nil || all.kind("discovery.k8s.io", "endpointslices") == nil ||
		!ip.IsValid() || ip.IsLoopback() || ip.IsLinkLocalUnicast() { // an address that no endpoint may have
		return nil, nil
	}
	leases, _, err := service.Store(raw, "apiserveripinfo", &core.Endpoints{}, &core.EndpointsList{}, bootstrap.LeasesPrefix)
	if err != nil {
		return nil, err
	}
	endpoints := &bootstrap.KubernetesEndpoints{Client: client, Leases: leases, IP: ip, Port: port}
	return endpoints, s.generic.AddPreShutdownHook("stop-kubernetes-service-controller", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout) //nolint:forbidigo // the hook has none
		defer cancel()
		if err := within(ctx, endpoints.Leave); err != nil {
			klog.FromContext(ctx).Info("Stopped without leaving the endpoints of the service, from which the server goes by itself", "err", err)
		}
		return nil
	})
}

// deleter deletes the endpoints of a service; nil if there are none.
func deleter(store *kind.REST) func(ctx context.Context, namespace, name string) error {
	if store == nil {
		return nil
	}
	return func(ctx context.Context, namespace, name string) error {
		ctx = genericapirequest.WithNamespace(ctx, namespace)
		_, _, err := store.Delete(ctx, name, rest.ValidateAllObjectFunc, &metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
}

// early does something right away, beside what else a start does. The function that
// it returns waits for that at its first call and does it again at each other one.
func early(ctx context.Context, do func(context.Context) error) func(context.Context) error {
	first := make(chan error, 1)
	go func() {
		first <- do(ctx)
		close(first)
	}()
	return func(ctx context.Context) error {
		if err, waiting := <-first; waiting {
			return err
		}
		return do(ctx)
	}
}

// persist does what must be done before the server is ready, until it is.
func persist(ctx context.Context, message string, do func(context.Context) error) {
	_ = wait.PollUntilContextCancel(ctx, retryInterval, true, func(ctx context.Context) (bool, error) {
		err := do(ctx)
		if err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, message)
		}
		return err == nil, nil
	})
}

// keepCIDR keeps the default ServiceCIDR, and warns, once for each warning, in the log
// and by an event.
func keepCIDR(ctx context.Context, client kubernetes.Interface, allocator *service.Allocator) {
	recorder := sync.OnceValue(func() record.EventRecorder {
		broadcaster := record.NewBroadcaster(record.WithContext(ctx))
		broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
		return broadcaster.NewRecorder(clientgoscheme.Scheme, corev1.EventSource{Component: cidrController})
	})
	var before service.Warning
	wait.UntilWithContext(ctx, logged("Could not keep the default service CIDR", func(ctx context.Context) error {
		warning, err := allocator.EnsureCIDR(ctx)
		if err == nil && warning != before && warning != (service.Warning{}) {
			klog.FromContext(ctx).Info("The default ServiceCIDR is not what --service-cluster-ip-range says, or not ready, and holds: set the flag to match it, or delete it and let the server make it anew",
				"name", warning.About.Name, "reason", warning.Reason, "message", warning.Message)
			recorder().Event(&warning.About, corev1.EventTypeWarning, warning.Reason, warning.Message)
		}
		before = warning
		return err
	}), bootstrap.LeaseInterval)
}

// keepService makes the service of the server until it is there, less and less often,
// and then keeps it. first is the outcome of the first attempt.
func keepService(ctx context.Context, first error, ensure func(context.Context) error) {
	backoff := wait.Backoff{Duration: retryInterval, Factor: 2, Steps: 4, Cap: bootstrap.LeaseInterval}
	for err := first; err != nil; err = ensure(ctx) {
		if ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Could not make the service of the server, trying again; until then pods do not reach the server by it")
		}
		if !sleep(ctx, backoff.Step()) {
			return
		}
	}
	for sleep(ctx, bootstrap.LeaseInterval) {
		logged("Could not keep the service of the server", ensure)(ctx)
	}
}

func logged(message string, do func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, message)
		}
	}
}
