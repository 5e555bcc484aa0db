// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	crdserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	crdinformers "k8s.io/apiextensions-apiserver/pkg/client/informers/externalversions/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
	genericfilters "k8s.io/apiserver/pkg/endpoints/filters"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/generic"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/util/notfoundhandler"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/informers"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	"k8s.io/kube-openapi/pkg/common"

	"github.com/stoa-project/stoa/registry/core"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/extremes"
	"github.com/stoa-project/stoa/server/host"
	"github.com/stoa-project/stoa/server/openapi"
	"github.com/stoa-project/stoa/server/review"
)

// assembly is what the servers of the chain are made from. A request goes to the
// aggregator, the own groups, custom resources, and is then not found; each that is
// switched off is not there at all.
type assembly struct {
	options   CompletedOptions
	config    *genericapiserver.Config // for copies; never completed
	chain     func(http.Handler, *genericapiserver.Config) http.Handler
	gate      *gate // the handler of the one in front
	informers informers.SharedInformerFactory
	resolver  webhook.ServiceResolver
	tenancy   *tenancyClient
	roles     kind.RoleResolver
	host      *host.Host // nil without
	proxy     *frontProxy
	tokens    *tokens
	// streams returns what subresources that send requests on need.
	streams func(*genericapiserver.Config) (*core.Streams, error)
	// etcdHealth says of each etcd cluster what is wrong with it.
	etcdHealth []func(context.Context) error
	// etcd is where the extensions store; decorate has that done through the clients
	// that all share.
	etcd     genericoptions.EtcdOptions
	decorate func(getter generic.RESTOptionsGetter, uncached func(schema.GroupResource) bool) generic.RESTOptionsGetter
	// raw opens stores without a cache.
	raw generic.RESTOptionsGetter

	// crds and remotes are nil if they are switched off.
	crds    crdinformers.CustomResourceDefinitionInformer
	remotes *openapi.Remotes
	members []*genericapiserver.GenericAPIServer // the last one is in front
	stores  stores                               // of the own groups
}

// build makes the servers and returns the one in front. If it fails, it leaves none.
func (a *assembly) build(ctx context.Context) (front *genericapiserver.GenericAPIServer, err error) {
	defer func() {
		if err != nil && len(a.members) > 0 {
			discard(ctx, a.members[len(a.members)-1])
		}
	}()
	chain := a.config.BuildHandlerChainFunc
	a.chain = func(handler http.Handler, config *genericapiserver.Config) http.Handler {
		if a.host != nil {
			handler = review.Reviewer{Plugins: config.AdmissionControl, MaxObject: config.MaxRequestBodyBytes}.Serve(handler)
		}
		codecs := a.options.types.codecs
		checked := extremes.Patches(handler, config.MaxRequestBodyBytes, a.typeOf, codecs)
		a.gate = newGate(chain(withoutSecrets(checked, codecs), config))
		return a.gate
	}
	a.config.BuildHandlerChainFunc = passOn
	a.config.AggregatedDiscoveryGroupManager = aggregated.NewResourceManager("apis") // one for all
	a.config.SkipOpenAPIInstallation = true                                          // publish does it
	target := genericapiserver.NewEmptyDelegateWithCustomHandler(
		notfoundhandler.New(a.options.types.codecs, genericfilters.NoMuxAndDiscoveryIncompleteKey))
	if a.options.CustomResources {
		if target, err = a.addCustomResources(target); err != nil {
			return nil, err
		}
	}
	config := *a.config
	if !a.options.Aggregation.Enabled {
		config.BuildHandlerChainFunc = a.chain
	}
	if front, err = config.Complete(a.informers).New("stoa", target); err != nil {
		return nil, fmt.Errorf("assemble API server: %w", err)
	}
	a.members = append(a.members, front)
	streams, err := a.streams(&config)
	if err == nil {
		err = a.installGroups(front, &config, streams)
	}
	if err != nil {
		return nil, err
	}
	a.tokens.serveDiscovery(ctx, front)
	if err := front.AddPostStartHook("storage-readiness", front.StorageReadinessHook.Hook); err != nil {
		return nil, err
	}
	switch {
	case a.options.Aggregation.Enabled:
		front, err = a.addAggregator(ctx, front)
	case a.options.CustomResources:
		err = a.listCustomGroups(front)
	}
	if err != nil {
		return nil, err
	}
	a.publish(front, &config)
	return front, nil
}

// typeOf returns the type of a resource of the own groups; nil if it is not one.
func (a *assembly) typeOf(resource schema.GroupVersionResource) reflect.Type {
	store, ok := a.stores[resource.Group][resource.Version][resource.Resource]
	if !ok {
		return nil
	}
	scheme := a.options.types.scheme
	kinds, _, err := scheme.ObjectKinds(store.New())
	if err != nil {
		return nil
	}
	obj, err := scheme.New(resource.GroupVersion().WithKind(kinds[0].Kind))
	if err != nil {
		return nil
	}
	return reflect.TypeOf(obj)
}

// passOn is the handler chain of a server that gets its requests from another one,
// which has asked who the user is and what he may do.
func passOn(handler http.Handler, _ *genericapiserver.Config) http.Handler { return handler }

// member returns the configuration of an extension, with its own types.
func (a *assembly) member(scheme *runtime.Scheme, versions *serverstorage.ResourceConfig, definitions common.GetOpenAPIDefinitions) (*genericapiserver.Config, error) {
	config := *a.config
	config.PostStartHooks = map[string]genericapiserver.PostStartHookConfigEntry{}
	// Only for server-side apply; what is published is built by publish.
	config.OpenAPIConfig = nil
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, openapinamer.NewDefinitionNamer(scheme))
	if err := a.options.APIs.ApplyTo(&config, versions, scheme); err != nil {
		return nil, fmt.Errorf("--runtime-config: %w", err)
	}
	return &config, nil
}

// storage is where an extension stores its own kind: as JSON, below the name of its
// group.
func (a *assembly) storage(codec runtime.Codec, version runtime.GroupVersioner, uncached func(schema.GroupResource) bool) generic.RESTOptionsGetter {
	config := a.etcd.StorageConfig
	config.Codec, config.EncodeVersioner = codec, version
	return a.decorate(a.etcd.CreateRESTOptionsGetter(&genericoptions.SimpleStorageFactory{StorageConfig: config}, a.config.ResourceTransformers), uncached)
}

// uncached says which resources of extensions have no watch cache. The sizes of
// --watch-cache-sizes are not for them, as in Kubernetes.
func (a *assembly) uncached(schema.GroupResource) bool { return !a.etcd.EnableWatchCache }

// always is uncached for a store that is used once.
func always(schema.GroupResource) bool { return true }

// publish serves the OpenAPI documents of all servers at the one in front.
func (a *assembly) publish(front *genericapiserver.GenericAPIServer, config *genericapiserver.Config) {
	publisher := &openapi.Publisher{V2: config.OpenAPIConfig, V3: config.OpenAPIV3Config, Remotes: a.remotes}
	for _, member := range slices.Backward(a.members) {
		publisher.Containers = append(publisher.Containers, member.Handler.GoRestfulContainer)
	}
	if a.crds != nil {
		publisher.Definitions = a.crds.Lister()
	}
	publisher.Install(front.Handler.NonGoRestfulMux)
}

// extensionSchemes are the types of the extensions that are switched on.
func (o *Options) extensionSchemes() []*runtime.Scheme {
	var out []*runtime.Scheme
	if o.CustomResources {
		out = append(out, crdserver.Scheme)
	}
	if o.Aggregation.Enabled {
		out = append(out, aggregatorscheme.Scheme)
	}
	return out
}
