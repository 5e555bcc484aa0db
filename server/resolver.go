// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/informers"
	listersv1 "k8s.io/client-go/listers/core/v1"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"

	"github.com/stoa-project/stoa/registry/kind"
)

// resolver returns what finds the address of a service, for webhooks and aggregated
// servers. The address of the kubernetes service is that of this server.
func (c CompletedOptions) resolver(config *genericapiserver.Config, factory informers.SharedInformerFactory) (webhook.ServiceResolver, error) {
	if !servesServices(c.Groups, config) {
		return noServices{}, nil
	}
	own, err := url.Parse(config.LoopbackClientConfig.Host)
	if err != nil {
		return nil, fmt.Errorf("loopback address: %w", err)
	}
	slices, err := proxy.NewEndpointSliceIndexerGetter(factory.Discovery().V1().EndpointSlices())
	if err != nil {
		return nil, fmt.Errorf("index of endpoint slices: %w", err)
	}
	return aggregator.NewLoopbackServiceResolver(resolver{services: factory.Core().V1().Services().Lister(), slices: slices}, own), nil
}

// webhookAuth returns what adds credentials to calls of webhooks: none, but for the
// server itself.
func webhookAuth(config *genericapiserver.Config) webhook.AuthenticationInfoResolverWrapper {
	return webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, config.EgressSelector, config.LoopbackClientConfig, config.TracerProvider)
}

func servesServices(groups []kind.Group, config *genericapiserver.Config) bool {
	return servesAll(groups, config, []schema.GroupVersionResource{
		{Version: "v1", Resource: "services"}, {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	})
}

// resolver goes to endpoints, because the machine of an API server need not route
// cluster addresses, and to the name of a service that is outside the cluster.
type resolver struct {
	services listersv1.ServiceLister
	slices   proxy.EndpointSliceGetter
}

// ResolveEndpoint implements webhook.ServiceResolver.
func (r resolver) ResolveEndpoint(namespace, name string, port int32) (*url.URL, error) {
	service, err := r.services.Services(namespace).Get(name)
	if err != nil {
		return nil, err
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return proxy.ResolveCluster(r.services, namespace, name, port)
	}
	return proxy.ResolveEndpoint(r.services, r.slices, namespace, name, port)
}

// noServices is the resolver of a server that has no services.
type noServices struct{}

// ResolveEndpoint implements webhook.ServiceResolver.
func (noServices) ResolveEndpoint(namespace, name string, _ int32) (*url.URL, error) {
	return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("service %s/%s: this server has no services", namespace, name))
}
