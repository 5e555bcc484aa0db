// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	genericapiserver "k8s.io/apiserver/pkg/server"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// listCustomGroups has /apis of a server without aggregation list the groups of
// CustomResourceDefinitions.
func (a *assembly) listCustomGroups(front *genericapiserver.GenericAPIServer) error {
	own, groups := map[schema.GroupVersion]bool{}, customGroupList{
		manager: front.DiscoveryGroupManager, own: map[string]bool{}, versions: map[string]map[string]bool{},
	}
	for _, path := range front.ListedPaths() {
		if gv, ok := versionOfPath(path); ok {
			own[gv], groups.own[gv.Group] = true, true
		}
	}
	_, err := customVersionList{crds: a.crds, own: own, services: groups}.follow()
	return err
}

// customGroupList keeps groups in a discovery document. It is called by one
// goroutine, that of an informer.
type customGroupList struct {
	manager  discovery.GroupManager
	own      map[string]bool            // groups that are listed anyway
	versions map[string]map[string]bool // by group
}

var _ versionRegistry = customGroupList{}

// AddAPIServiceToSync implements versionRegistry.
func (l customGroupList) AddAPIServiceToSync(service *apiregistration.APIService) {
	if l.own[service.Spec.Group] {
		return
	}
	if l.versions[service.Spec.Group] == nil {
		l.versions[service.Spec.Group] = map[string]bool{}
	}
	l.versions[service.Spec.Group][service.Spec.Version] = true
	l.publish(service.Spec.Group)
}

// RemoveAPIServiceToSync implements versionRegistry.
func (l customGroupList) RemoveAPIServiceToSync(name string) {
	for group, versions := range l.versions {
		for v := range versions {
			if v+"."+group == name {
				delete(versions, v)
				l.publish(group)
				return
			}
		}
	}
}

func (l customGroupList) publish(group string) {
	names := slices.SortedFunc(maps.Keys(l.versions[group]), func(a, b string) int { return apimachineryversion.CompareKubeAwareVersionStrings(b, a) })
	if len(names) == 0 {
		delete(l.versions, group)
		l.manager.RemoveGroup(group)
		return
	}
	var served []metav1.GroupVersionForDiscovery
	for _, v := range names {
		served = append(served, metav1.GroupVersionForDiscovery{GroupVersion: group + "/" + v, Version: v})
	}
	l.manager.AddGroup(metav1.APIGroup{Name: group, Versions: served, PreferredVersion: served[0]})
}
