// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package controllers lists the controllers that run in the server: those without
// which what a client does at the API would not work as in a cluster. Names and the
// flag that chooses among them are those of kube-controller-manager.
//
// A controller has a package below this one, with a function New that asks for
// informers and returns what runs until its context ends. A row of [Table] makes it
// known. docs/controllers.md tells users of all of them.
package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/controllers/clusterroleaggregation"
	"github.com/stoa-project/stoa/controllers/garbagecollector"
	"github.com/stoa-project/stoa/controllers/namespace"
	"github.com/stoa-project/stoa/controllers/protection"
	"github.com/stoa-project/stoa/controllers/resourcequota"
	"github.com/stoa-project/stoa/controllers/serviceaccount"
	"github.com/stoa-project/stoa/controllers/tokencleaner"
	"github.com/stoa-project/stoa/controllers/work"
)

// Controller is a row of the table.
type Controller struct {
	// Name is what --controllers calls it.
	Name string
	// Needs are the resources that it reads and writes. It is off where one is not
	// served: its informers would wait for it without end.
	Needs []schema.GroupVersionResource
	// Behind is whether it runs in aggregated mode too, where the host has the objects of
	// Kubernetes: its client and informers are then those of the host. The host runs the
	// controllers of Kubernetes itself.
	Behind bool
	// New makes it; informers are started after that.
	New func(work.Server) (run func(context.Context))
}

// plain is New of a controller that needs a client and informers alone.
func plain(build func(kubernetes.Interface, informers.SharedInformerFactory) func(context.Context)) func(work.Server) func(context.Context) {
	return func(server work.Server) func(context.Context) { return build(server.Client, server.Informers) }
}

// Table returns all controllers.
func Table() []Controller {
	core := schema.GroupVersion{Version: "v1"}
	table := []Controller{
		{
			Name:  clusterroleaggregation.Name,
			Needs: []schema.GroupVersionResource{{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}},
			New:   plain(clusterroleaggregation.New),
		},
		{
			Name: garbagecollector.Name,
			New:  garbagecollector.New, // it needs nothing: it looks at what there is
		},
		{
			Name:  namespace.Name,
			Needs: []schema.GroupVersionResource{core.WithResource("namespaces")},
			New:   namespace.New,
		},
		{
			Name:  resourcequota.Name,
			Needs: []schema.GroupVersionResource{core.WithResource("resourcequotas")},
			New:   resourcequota.New,
		},
		{
			Name:  serviceaccount.Name,
			Needs: []schema.GroupVersionResource{core.WithResource("namespaces"), core.WithResource("serviceaccounts")},
			New:   plain(serviceaccount.New),
		},
		{
			Name:  tokencleaner.Name,
			Needs: []schema.GroupVersionResource{core.WithResource("secrets")},
			New:   plain(tokencleaner.New),
		},
	}
	for _, p := range protection.Table() {
		table = append(table, Controller{Name: p.Name, Needs: append(p.Users, p.Resource), New: p.New})
	}
	return table
}
