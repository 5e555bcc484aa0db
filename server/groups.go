// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emicklei/go-restful/v3"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	crdopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	openapiutil "k8s.io/apiserver/pkg/util/openapi"
	aggregatoropenapi "k8s.io/kube-aggregator/pkg/generated/openapi"
	"k8s.io/kube-openapi/pkg/common"

	tenancyrules "github.com/stoa-project/stoa/admission/tenancy"
	"github.com/stoa-project/stoa/generated/openapi"
	"github.com/stoa-project/stoa/registry/admissionregistration"
	"github.com/stoa-project/stoa/registry/apps"
	"github.com/stoa-project/stoa/registry/authentication"
	"github.com/stoa-project/stoa/registry/authorization"
	"github.com/stoa-project/stoa/registry/autoscaling"
	"github.com/stoa-project/stoa/registry/batch"
	"github.com/stoa-project/stoa/registry/certificates"
	"github.com/stoa-project/stoa/registry/coordination"
	"github.com/stoa-project/stoa/registry/core"
	"github.com/stoa-project/stoa/registry/discovery"
	"github.com/stoa-project/stoa/registry/events"
	"github.com/stoa-project/stoa/registry/flowcontrol"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/networking"
	"github.com/stoa-project/stoa/registry/node"
	"github.com/stoa-project/stoa/registry/policy"
	"github.com/stoa-project/stoa/registry/rbac"
	"github.com/stoa-project/stoa/registry/resource"
	"github.com/stoa-project/stoa/registry/scheduling"
	"github.com/stoa-project/stoa/registry/storage"
	"github.com/stoa-project/stoa/registry/storagemigration"
	"github.com/stoa-project/stoa/registry/tenancy"
	"github.com/stoa-project/stoa/server/extremes"
)

// DefaultGroups returns the built-in API groups.
func DefaultGroups() []kind.Group {
	return []kind.Group{
		core.Group(),
		admissionregistration.Group(),
		apps.Group(),
		authentication.Group(),
		authorization.Group(),
		autoscaling.Group(),
		batch.Group(),
		certificates.Group(),
		coordination.Group(),
		discovery.Group(),
		events.Group(),
		flowcontrol.Group(),
		networking.Group(),
		node.Group(),
		policy.Group(),
		rbac.Group(),
		resource.Group(),
		scheduling.Group(),
		storage.Group(),
		storagemigration.Group(),
		tenancy.Group(),
	}
}

// newScheme returns a scheme with the types of the groups.
func newScheme(groups []kind.Group) (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	for _, g := range groups {
		if err := g.AddTo(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// servedVersions are all versions of the groups, which are served unless
// --runtime-config says otherwise.
func servedVersions(groups []kind.Group) *serverstorage.ResourceConfig {
	config := serverstorage.NewResourceConfig()
	for _, g := range groups {
		for _, r := range g.Resources {
			for _, v := range r.Versions {
				config.EnableVersions(schema.GroupVersion{Group: g.Name, Version: v})
			}
		}
	}
	return config
}

// definitions are the OpenAPI definitions of all groups, those of the extensions
// included.
func (o *Options) definitions() common.GetOpenAPIDefinitions {
	return openapiutil.GetOpenAPIDefinitionsWithoutDisabledFeatures(func(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
		all := openapi.GetOpenAPIDefinitions(ref)
		if o.CustomResources {
			maps.Copy(all, crdopenapi.GetOpenAPIDefinitions(ref))
		}
		if o.Aggregation.Enabled {
			maps.Copy(all, aggregatoropenapi.GetOpenAPIDefinitions(ref))
		}
		for _, g := range o.Groups {
			if g.OpenAPI != nil {
				maps.Copy(all, g.OpenAPI(ref))
			}
		}
		return all
	})
}

// storageFactory says where, in which version and in which encoding each resource
// is stored.
func storageFactory(etcd *EtcdOptions, groups []kind.Group, config *genericapiserver.Config, scheme *runtime.Scheme, serializer runtime.StorageSerializer) (*serverstorage.DefaultStorageFactory, error) {
	encoding := serverstorage.NewDefaultResourceEncodingConfigForEffectiveVersion(scheme, config.EffectiveVersion)
	factory := serverstorage.NewDefaultStorageFactory(etcd.StorageConfig, etcd.DefaultStorageMediaType, serializer,
		encoding, config.MergedResourceConfig, kind.Prefixes(groups))
	// An event has two forms, and is stored in one.
	factory.AddCohabitatingResources(corev1.Resource("events"), eventsv1.Resource("events"))
	for _, g := range groups {
		for _, r := range g.Resources {
			resource := schema.GroupResource{Group: g.Name, Resource: r.Kind.Resource()}
			if !r.Protobuf(scheme, g.Name) {
				factory.SetSerializer(resource, runtime.ContentTypeJSON, nil)
			}
			if g.StorageVersion == "" {
				continue
			}
			encoding.SetResourceEncoding(resource, schema.GroupVersion{Group: g.Name, Version: g.StorageVersion},
				schema.GroupVersion{Group: g.Name, Version: runtime.APIVersionInternal})
		}
	}
	overrides, err := genericoptions.ParseEtcdServersOverrides(etcd.EtcdServersOverrides)
	if err != nil {
		return nil, fmt.Errorf("--etcd-servers-overrides: %w", err)
	}
	for _, o := range overrides {
		factory.SetEtcdLocation(o.GroupResource, o.Servers)
	}
	return factory, nil
}

// withoutProtobuf serves types that have no protobuf marshallers. It does not offer
// protobuf, so that clients that prefer it get what they accept next.
type withoutProtobuf struct{ runtime.NegotiatedSerializer }

func (s withoutProtobuf) SupportedMediaTypes() []runtime.SerializerInfo {
	return slices.DeleteFunc(slices.Clone(s.NegotiatedSerializer.SupportedMediaTypes()), func(info runtime.SerializerInfo) bool {
		return info.MediaType == runtime.ContentTypeProtobuf
	})
}

// preferJSON takes protobuf from what the client of a version accepts that shares its
// group with others. Most clients accept JSON as well.
func preferJSON(request *restful.Request, response *restful.Response, chain *restful.FilterChain) {
	header := request.Request.Header
	others := slices.DeleteFunc(strings.Split(header.Get("Accept"), ","), func(accepted string) bool {
		return strings.HasPrefix(strings.TrimSpace(accepted), runtime.ContentTypeProtobuf)
	})
	if len(others) > 0 {
		header.Set("Accept", strings.Join(others, ","))
	}
	chain.ProcessFilter(request, response)
}

// kindServer is what the kinds may know of the server.
func (a *assembly) kindServer(config *genericapiserver.Config) kind.Server {
	gates := map[string]bool{}
	for name := range utilfeature.DefaultMutableFeatureGate.GetAll() {
		gates[string(name)] = utilfeature.DefaultFeatureGate.Enabled(name)
	}
	return kind.Server{
		Gates:         gates,
		Roles:         a.roles,
		Options:       config.RESTOptionsGetter,
		Etcd:          a.etcdHealth,
		EventTTL:      a.options.Etcd.EventTTL,
		Authorizer:    config.Authorization.Authorizer,
		Rules:         config.RuleResolver,
		Authenticator: config.Authentication.Authenticator,
		Audiences:     config.Authentication.APIAudiences,
		Tokens:        a.tokens.kind(),
		Loopback:      config.LoopbackClientConfig,
		Source:        func(resource schema.GroupVersionResource) *kind.Source { return a.source(config, resource) },
		OwnerRole:     a.options.Tenancy.OwnerRole,
		LimitsTenants: a.options.Admission.runs(tenancyrules.PluginName) && !a.options.Host.Aggregated,
		Host:          a.kindHost(),
	}
}

// installGroups builds the stores of the groups and serves them.
func (a *assembly) installGroups(s *genericapiserver.GenericAPIServer, config *genericapiserver.Config, streams *core.Streams) error {
	types := a.options.types
	evaluator, err := genericapiserver.NewResourceExpirationEvaluatorFromOptions(genericapiserver.ResourceExpirationEvaluatorOptions{
		CurrentVersion: config.EffectiveVersion.EmulationVersion(), Prerelease: config.EffectiveVersion.BinaryVersion().PreRelease(),
	})
	if err != nil {
		return err
	}
	server := a.kindServer(config)
	var named []*genericapiserver.APIGroupInfo
	mixed := sets.Set[string]{}
	for _, g := range a.options.Groups {
		info := genericapiserver.NewDefaultAPIGroupInfo(g.Name, types.scheme, types.parameters, types.codecs)
		if versions, all := g.WithoutProtobuf(types.scheme); all {
			info.NegotiatedSerializer = withoutProtobuf{info.NegotiatedSerializer}
		} else {
			for v := range versions {
				mixed.Insert(genericapiserver.APIGroupPrefix + "/" + g.Name + "/" + v)
			}
		}
		info.NegotiatedSerializer = extremes.Serializer(info.NegotiatedSerializer, types.scheme)
		info.VersionedResourcesStorageMap, err = g.Storage(types.scheme, server, config.MergedResourceConfig.ResourceEnabled)
		if err != nil {
			return err
		}
		a.stores[g.Name] = info.VersionedResourcesStorageMap
		if err := evaluator.RemoveUnavailableKinds(g.Name, types.scheme, info.VersionedResourcesStorageMap, config.MergedResourceConfig); err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
		switch {
		case len(info.VersionedResourcesStorageMap) == 0:
		case g.Name == "":
			streams.AddTo(info.VersionedResourcesStorageMap["v1"])
			err = s.InstallLegacyAPIGroup(genericapiserver.DefaultLegacyAPIPrefix, &info)
		default:
			named = append(named, &info)
		}
		if err != nil {
			return fmt.Errorf("install core group: %w", err)
		}
	}
	// One call for all: each builds its type converter anew.
	if err := s.InstallAPIGroups(named...); err != nil {
		return fmt.Errorf("install groups: %w", err)
	}
	for _, service := range s.Handler.GoRestfulContainer.RegisteredWebServices() {
		if mixed.Has(service.RootPath()) {
			service.Filter(preferJSON)
		}
	}
	return nil
}
