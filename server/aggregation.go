// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	genericapiserver "k8s.io/apiserver/pkg/server"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1beta1"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	aggregatoropenapi "k8s.io/kube-aggregator/pkg/generated/openapi"

	"github.com/stoa-project/stoa/server/openapi"
)

// addAggregator puts the server of APIServices, which passes requests on to the
// servers that they name, in front of target.
func (a *assembly) addAggregator(ctx context.Context, target genericapiserver.DelegationTarget) (*genericapiserver.GenericAPIServer, error) {
	config, err := a.member(aggregatorscheme.Scheme, aggregator.DefaultAPIResourceConfigSource(), aggregatoropenapi.GetOpenAPIDefinitions)
	if err != nil {
		return nil, err
	}
	config.BuildHandlerChainFunc = a.chain
	config.RESTOptionsGetter = a.serviceStorage(a.uncached)
	front := aggregator.Config{
		GenericConfig: &genericapiserver.RecommendedConfig{Config: *config, SharedInformerFactory: a.informers},
		ExtraConfig: aggregator.ExtraConfig{
			ProxyClientCertFile: a.proxy.certFile, ProxyClientKeyFile: a.proxy.keyFile,
			ServiceResolver:           a.resolver,
			RejectForwardingRedirects: a.options.Aggregation.RejectForwardingRedirects,
			// It waits for services and slices without end if there are none.
			DisableRemoteAvailableConditionController: !servesServices(a.options.Groups, a.config),
		},
	}
	server, err := front.Complete().NewWithDelegate(target)
	if err != nil {
		return nil, fmt.Errorf("aggregation: %w", err)
	}
	a.members = append(a.members, server.GenericAPIServer)
	a.remotes = &openapi.Remotes{
		Services: server.APIRegistrationInformers.Apiregistration().V1().APIServices().Lister(),
		Resolver: a.resolver, Certificate: a.proxy.certificate,
	}
	return server.GenericAPIServer, a.registerVersions(ctx, server, target)
}

// serviceStorage is where APIServices are.
func (a *assembly) serviceStorage(uncached func(schema.GroupResource) bool) generic.RESTOptionsGetter {
	return a.storage(aggregatorscheme.Codecs.LegacyCodec(apiregistration.SchemeGroupVersion, v1beta1.SchemeGroupVersion),
		runtime.NewMultiGroupVersioner(apiregistration.SchemeGroupVersion, schema.GroupKind{Group: v1beta1.GroupName}), uncached)
}
