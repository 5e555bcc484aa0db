// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package controllers lists the controllers that run in the server: those without
// which what a client does at the API would not work as in a cluster. Names and the
// flag that chooses among them are those of kube-controller-manager.
//
// A controller has a package below this one, with a function New that asks for
// informers and returns what runs until its context ends. A row of [Table] makes it
// known.
package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/controllers/clusterroleaggregation"
	"github.com/stoa-project/stoa/controllers/resourcequota"
	"github.com/stoa-project/stoa/controllers/serviceaccount"
	"github.com/stoa-project/stoa/controllers/tokencleaner"
)

// Controller is a row of the table.
type Controller struct {
	// Name is what --controllers calls it.
	Name string
	// Needs are the resources that it reads and writes. It is off where one is not
	// served: its informers would wait for it without end.
	Needs []schema.GroupVersionResource
	// New makes it; informers are started after that.
	New func(kubernetes.Interface, informers.SharedInformerFactory) (run func(context.Context))
}

// Shared is what controllers share with the rest of the server.
type Shared struct {
	// Loopback is how to reach the server itself.
	Loopback *rest.Config
	// Charges are the requests that quotas are charged for.
	Charges *quota.Charges
}

// Table returns all controllers. What they share may be nil where none is made.
func Table(shared *Shared) []Controller {
	core := schema.GroupVersion{Version: "v1"}
	return []Controller{
		{
			Name:  clusterroleaggregation.Name,
			Needs: []schema.GroupVersionResource{{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}},
			New:   clusterroleaggregation.New,
		},
		{
			Name:  resourcequota.Name,
			Needs: []schema.GroupVersionResource{core.WithResource("resourcequotas")},
			New: func(client kubernetes.Interface, factory informers.SharedInformerFactory) func(context.Context) {
				return resourcequota.New(client, factory, resourcequota.Dependencies{
					Charges: shared.Charges,
					Metadata: func() (metadata.Interface, error) {
						return metadata.NewForConfig(rest.AddUserAgent(rest.CopyConfig(shared.Loopback), resourcequota.Name))
					},
				})
			},
		},
		{
			Name:  serviceaccount.Name,
			Needs: []schema.GroupVersionResource{core.WithResource("namespaces"), core.WithResource("serviceaccounts")},
			New:   serviceaccount.New,
		},
		{
			Name:  tokencleaner.Name,
			Needs: []schema.GroupVersionResource{core.WithResource("secrets")},
			New:   tokencleaner.New,
		},
	}
}
