// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdinformers "k8s.io/apiextensions-apiserver/pkg/client/informers/externalversions/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	internalregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	registrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/controllers/autoregister"
	registrationstore "k8s.io/kube-aggregator/pkg/registry/apiservice/etcd"
)

// registrars is how many APIServices are written at once.
const registrars = 5

// registerVersions keeps an APIService for each version that the server has itself:
// those of its groups as they were when it started, those of
// CustomResourceDefinitions as they come and go.
func (a *assembly) registerVersions(ctx context.Context, front *aggregator.APIAggregator, target genericapiserver.DelegationTarget) error {
	client, err := registrationclient.NewForConfig(front.GenericAPIServer.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("loopback client: %w", err)
	}
	services := autoregister.NewAutoRegisterController(front.APIRegistrationInformers.Apiregistration().V1().APIServices(), client)
	own, first := map[schema.GroupVersion]bool{}, []*apiregistration.APIService{}
	for _, path := range target.ListedPaths() {
		gv, ok := versionOfPath(path)
		if !ok {
			continue
		}
		own[gv] = true
		p := priorityOf(a.options.types.scheme, gv)
		service := apiService(gv, p)
		services.AddAPIServiceToSyncOnStart(service)
		first = append(first, services.GetAPIServiceToSync(service.Name)) // with the label that says so
		front.GenericAPIServer.AggregatedDiscoveryGroupManager.SetGroupVersionPriority(metav1.GroupVersion(gv), int(p.group), int(p.version))
	}
	a.seed(ctx, first)
	listed := func() bool { return true }
	if a.crds != nil {
		versions := customVersionList{crds: a.crds, own: own, services: services}
		registration, err := versions.follow()
		if err != nil {
			return err
		}
		listed = registration.HasSynced
	}
	return front.GenericAPIServer.AddPostStartHook("apiservice-registration", func(hook genericapiserver.PostStartHookContext) error {
		go func() {
			// It removes what nobody wants any more, so it has to know of all definitions
			// first. If the server is stopped before, Run only ends its queue.
			cache.WaitForCacheSync(hook.Done(), listed)
			services.Run(registrars, hook.Done())
		}()
		return nil
	})
}

// seed stores APIServices that are missing before anything is served, so that a
// server that is ready lists all its groups. What fails, the controller tries again.
func (a *assembly) seed(ctx context.Context, services []*apiregistration.APIService) {
	store := registrationstore.NewREST(aggregatorscheme.Scheme, a.serviceStorage(always))
	defer store.Destroy()
	ctx = genericapirequest.WithNamespace(ctx, metav1.NamespaceNone)
	var group errgroup.Group
	for _, service := range services {
		group.Go(func() error {
			// Asked first: a full database refuses even what exists.
			_, err := store.Get(ctx, service.Name, &metav1.GetOptions{})
			if !apierrors.IsNotFound(err) {
				return err
			}
			var hub internalregistration.APIService
			if err := aggregatorscheme.Scheme.Convert(service, &hub, nil); err != nil {
				return err
			}
			_, err = store.Create(ctx, &hub, nil, &metav1.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		klog.FromContext(ctx).Error(err, "Could not store the APIServices of the server, trying again later")
	}
}

// versionOfPath returns the version that a path is the root of.
func versionOfPath(path string) (schema.GroupVersion, bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case len(parts) == 2 && parts[0] == "api":
		return schema.GroupVersion{Version: parts[1]}, true
	case len(parts) == 3 && parts[0] == "apis":
		return schema.GroupVersion{Group: parts[1], Version: parts[2]}, true
	default:
		return schema.GroupVersion{}, false
	}
}

func apiService(gv schema.GroupVersion, p priority) *apiregistration.APIService {
	return &apiregistration.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: gv.Version + "." + gv.Group},
		Spec: apiregistration.APIServiceSpec{
			Group: gv.Group, Version: gv.Version, GroupPriorityMinimum: p.group, VersionPriority: p.version,
		},
	}
}

// customVersionList tells which versions definitions serve.
type customVersionList struct {
	crds     crdinformers.CustomResourceDefinitionInformer
	own      map[schema.GroupVersion]bool
	services versionRegistry
}

// versionRegistry makes versions known to clients, each as an APIService.
type versionRegistry interface {
	AddAPIServiceToSync(service *apiregistration.APIService)
	RemoveAPIServiceToSync(name string)
}

// follow registers the versions of definitions as they change.
func (l customVersionList) follow() (cache.ResourceEventHandlerRegistration, error) {
	return l.crds.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { l.sync(obj) },
		UpdateFunc: func(before, after any) {
			l.sync(before)
			l.sync(after)
		},
		DeleteFunc: func(obj any) {
			if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = unknown.Obj
			}
			l.sync(obj)
		},
	})
}

// sync looks at the versions of one definition, which others may serve too.
func (l customVersionList) sync(obj any) {
	crd, ok := obj.(*apiextensions.CustomResourceDefinition)
	if !ok {
		return
	}
	for _, v := range crd.Spec.Versions {
		gv := schema.GroupVersion{Group: crd.Spec.Group, Version: v.Name}
		service := apiService(gv, priority{group: customGroups, version: customVersions})
		switch {
		case l.own[gv]:
		case l.served(gv):
			l.services.AddAPIServiceToSync(service)
		default:
			l.services.RemoveAPIServiceToSync(service.Name)
		}
	}
}

func (l customVersionList) served(gv schema.GroupVersion) bool {
	crds, err := l.crds.Lister().List(labels.Everything())
	if err != nil {
		return false
	}
	for _, crd := range crds {
		if crd.Spec.Group != gv.Group {
			continue
		}
		for _, v := range crd.Spec.Versions {
			if v.Name == gv.Version && v.Served {
				return true
			}
		}
	}
	return false
}
