// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// priority is where a version stands in discovery: the higher, the earlier.
type priority struct{ group, version int32 }

const (
	// otherGroups is the priority of groups that Kubernetes does not have. They come
	// after its own and before those of CustomResourceDefinitions.
	otherGroups = 15000
	// firstVersion is the priority of the preferred version of a group.
	firstVersion = 15
	// customGroups and customVersions are for CustomResourceDefinitions, which have
	// their versions ordered by name.
	customGroups, customVersions = 1000, 100
)

// groupPriorities are those of kube-apiserver. kubectl resolves a short name to the
// group with the highest.
//
//nolint:gochecknoglobals,mnd // constant
var groupPriorities = map[string]int32{
	"":                             18000,
	"apps":                         17800,
	"events.k8s.io":                17750,
	"authentication.k8s.io":        17700,
	"authorization.k8s.io":         17600,
	"autoscaling":                  17500,
	"batch":                        17400,
	"certificates.k8s.io":          17300,
	"networking.k8s.io":            17200,
	"policy":                       17100,
	"rbac.authorization.k8s.io":    17000,
	"storage.k8s.io":               16800,
	"apiextensions.k8s.io":         16700,
	"admissionregistration.k8s.io": 16700,
	"scheduling.k8s.io":            16600,
	"coordination.k8s.io":          16500,
	"node.k8s.io":                  16300,
	"discovery.k8s.io":             16200,
	"flowcontrol.apiserver.k8s.io": 16100,
	"internal.apiserver.k8s.io":    16000,
	"resource.k8s.io":              15900,
	"storagemigration.k8s.io":      15800,
}

// versionPriorities are those of kube-apiserver that are not firstVersion.
//
//nolint:gochecknoglobals,mnd // constant
var versionPriorities = map[schema.GroupVersion]int32{
	{Version: "v1"}:                                           1,
	{Group: "autoscaling", Version: "v2"}:                     30,
	{Group: "flowcontrol.apiserver.k8s.io", Version: "v1"}:    21,
	{Group: "internal.apiserver.k8s.io", Version: "v1alpha1"}: 9,
	{Group: "policy", Version: "v1beta1"}:                     9,
}

// priorityOf is the place of a version that the server has itself. scheme knows the
// order of the versions of a group.
func priorityOf(scheme *runtime.Scheme, gv schema.GroupVersion) priority {
	p := priority{group: groupPriorities[gv.Group], version: versionPriorities[gv]}
	if p.group == 0 {
		p.group = otherGroups
	}
	if p.version == 0 {
		after := slices.Index(scheme.PrioritizedVersionsForGroup(gv.Group), gv)
		p.version = max(1, firstVersion-int32(max(0, after)))
	}
	return p
}
