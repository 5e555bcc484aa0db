// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"time"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	crdserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	crdoptions "k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	crdopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/tools/cache"
)

// oneServer is upstream's MasterCount that has a definition established at once.
// More would make each wait 5 s, so that servers beside this one know it too.
const oneServer = 1

// crdsSynced is the hook of upstream that followDefinitions replaces.
const crdsSynced = "crd-informer-synced"

// addCustomResources puts the server of CustomResourceDefinitions, and of what they
// define, in front of target.
func (a *assembly) addCustomResources(target genericapiserver.DelegationTarget) (genericapiserver.DelegationTarget, error) {
	config, err := a.member(crdserver.Scheme, crdserver.DefaultAPIResourceConfigSource(), crdopenapi.GetOpenAPIDefinitions)
	if err != nil {
		return nil, err
	}
	if !config.MergedResourceConfig.ResourceEnabled(apiextensions.SchemeGroupVersion.WithResource("customresourcedefinitions")) {
		return nil, errors.New("--runtime-config: apiextensions.k8s.io/v1 cannot be switched off, but --custom-resources can")
	}
	// Stored as v1beta1, as upstream does, which is smaller than v1.
	config.RESTOptionsGetter = a.storage(crdserver.Codecs.LegacyCodec(v1beta1.SchemeGroupVersion, apiextensions.SchemeGroupVersion),
		runtime.NewMultiGroupVersioner(v1beta1.SchemeGroupVersion, schema.GroupKind{Group: v1beta1.GroupName}), a.uncached)
	resources := crdoptions.NewCRDRESTOptionsGetter(a.etcd, config.ResourceTransformers, config.StorageObjectCountTracker)
	extension := crdserver.Config{
		GenericConfig: &genericapiserver.RecommendedConfig{Config: *config, SharedInformerFactory: a.informers},
		ExtraConfig: crdserver.ExtraConfig{
			CRDRESTOptionsGetter: a.decorate(resources, a.uncached),
			MasterCount:          oneServer,
			ServiceResolver:      a.resolver,
			AuthResolverWrapper:  webhookAuth(config),
		},
	}
	extension.GenericConfig.DisabledPostStartHooks = sets.NewString(crdsSynced)
	server, err := extension.Complete().New(target)
	if err != nil {
		return nil, fmt.Errorf("custom resources: %w", err)
	}
	a.crds = server.Informers.Apiextensions().V1().CustomResourceDefinitions()
	a.members = append(a.members, server.GenericAPIServer)
	if len(a.options.Etcd.StorageConfig.Transport.ServerList) == 0 { // the embedded etcd has one server
		if err := a.crds.Informer().SetTransform(establishedBefore); err != nil {
			return nil, err
		}
	}
	if err := a.followDefinitions(server.GenericAPIServer); err != nil {
		return nil, err
	}
	return server.GenericAPIServer, nil
}

// followDefinitions says when all definitions are known, which readiness, and not
// found as an answer, wait for. Upstream's hook looks ten times a second, and ends
// the process if the server is stopped before.
func (a *assembly) followDefinitions(server *genericapiserver.GenericAPIServer) error {
	known := make(chan struct{})
	server.MuxAndDiscoveryCompleteSignals()["CRDInformerHasNotSynced"] = known
	informer := a.crds.Informer()
	return a.config.AddPostStartHook("custom-resource-definitions-synced", func(hook genericapiserver.PostStartHookContext) error {
		if cache.WaitFor(hook, "", informer.HasSyncedChecker()) {
			close(known)
		}
		return nil
	})
}

// justEstablished is how long upstream holds up the first objects of a definition,
// so that other servers learn of it.
const justEstablished = 2 * time.Second

// establishedBefore changes what this server remembers of a definition: that it was
// established long enough ago. There is no other server to wait for.
func establishedBefore(obj any) (any, error) {
	crd, ok := obj.(*apiextensions.CustomResourceDefinition)
	if !ok {
		return obj, nil
	}
	for i := range crd.Status.Conditions {
		c := &crd.Status.Conditions[i]
		if c.Type == apiextensions.Established && time.Since(c.LastTransitionTime.Time) < justEstablished {
			c.LastTransitionTime = metav1.NewTime(c.LastTransitionTime.Add(-justEstablished))
		}
	}
	return crd, nil
}
