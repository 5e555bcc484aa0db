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

	tenancyapi "github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/controllers/accounttoken"
	"github.com/stoa-project/stoa/controllers/certificates"
	"github.com/stoa-project/stoa/controllers/clusterroleaggregation"
	"github.com/stoa-project/stoa/controllers/garbagecollector"
	"github.com/stoa-project/stoa/controllers/grant"
	"github.com/stoa-project/stoa/controllers/legacytoken"
	"github.com/stoa-project/stoa/controllers/namespace"
	"github.com/stoa-project/stoa/controllers/namespacecreator"
	"github.com/stoa-project/stoa/controllers/namespacedefaults"
	"github.com/stoa-project/stoa/controllers/policystatus"
	"github.com/stoa-project/stoa/controllers/protection"
	"github.com/stoa-project/stoa/controllers/resourcequota"
	"github.com/stoa-project/stoa/controllers/rootca"
	"github.com/stoa-project/stoa/controllers/serviceaccount"
	"github.com/stoa-project/stoa/controllers/tenant"
	"github.com/stoa-project/stoa/controllers/tokencleaner"
	"github.com/stoa-project/stoa/controllers/trustbundle"
	"github.com/stoa-project/stoa/controllers/ttlafterfinished"
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
	need := func(resources ...string) []schema.GroupVersionResource {
		var out []schema.GroupVersionResource
		for _, r := range resources {
			out = append(out, core.WithResource(r))
		}
		return out
	}
	roles := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	tenancy := schema.GroupVersion{Group: tenancyapi.GroupName, Version: "v1"}
	certificate := schema.GroupVersion{Group: "certificates.k8s.io", Version: "v1"}
	requests := []schema.GroupVersionResource{certificate.WithResource("certificatesigningrequests")}
	table := []Controller{
		{Name: accounttoken.Name, Needs: need("secrets", "serviceaccounts"), New: accounttoken.New},
		{
			Name: certificates.ApprovingName, New: certificates.NewApproving,
			Needs: append(requests, schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "subjectaccessreviews"}),
		},
		{Name: certificates.SigningName, Needs: requests, New: certificates.NewSigning},
		{Name: certificates.CleanerName, Needs: requests, New: certificates.NewCleaner},
		{Name: certificates.PodCleanerName, Needs: []schema.GroupVersionResource{certificate.WithResource("podcertificaterequests")}, New: certificates.NewPodCleaner},
		{Name: clusterroleaggregation.Name, Needs: []schema.GroupVersionResource{roles.WithResource("clusterroles")}, New: plain(clusterroleaggregation.New)},
		{Name: garbagecollector.Name, New: garbagecollector.New}, // it needs nothing: it looks at what there is
		{
			Name: grant.Name, Behind: true, New: grant.New,
			Needs: []schema.GroupVersionResource{tenancy.WithResource("grants"), roles.WithResource("roles"), roles.WithResource("rolebindings")},
		},
		{Name: legacytoken.Name, Needs: need("secrets", "serviceaccounts", "pods", "configmaps"), New: legacytoken.New},
		{Name: namespace.Name, Needs: need("namespaces"), New: namespace.New},
		{Name: namespacecreator.Name, Behind: true, Needs: append(need("namespaces"), roles.WithResource("rolebindings")), New: namespacecreator.New},
		{Name: namespacedefaults.Name, Needs: need("namespaces", "configmaps", "resourcequotas", "limitranges"), New: namespacedefaults.New},
		{
			Name: policystatus.Name, New: policystatus.New,
			Needs: []schema.GroupVersionResource{{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"}},
		},
		{Name: resourcequota.Name, Needs: need("resourcequotas"), New: resourcequota.New},
		{Name: resourcequota.TenantName, Needs: append(need("namespaces"), tenancy.WithResource("tenants")), Behind: true, New: resourcequota.NewTenants},
		{Name: rootca.Name, Needs: need("namespaces", "configmaps"), New: rootca.New},
		{Name: serviceaccount.Name, Needs: need("namespaces", "serviceaccounts"), New: plain(serviceaccount.New)},
		{
			Name: tenant.Name, Behind: true, New: tenant.New,
			Needs: append(need("namespaces", "resourcequotas", "limitranges"), tenancy.WithResource("tenants"), roles.WithResource("rolebindings"),
				schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}),
		},
		{Name: tokencleaner.Name, Needs: need("secrets"), New: plain(tokencleaner.New)},
		{Name: trustbundle.Name, Needs: []schema.GroupVersionResource{certificate.WithResource("clustertrustbundles")}, New: trustbundle.New},
		{Name: ttlafterfinished.Name, Needs: []schema.GroupVersionResource{{Group: "batch", Version: "v1", Resource: "jobs"}}, New: ttlafterfinished.New},
	}
	for _, p := range protection.Table() {
		table = append(table, Controller{Name: p.Name, Needs: append(p.Users, p.Resource), New: p.New})
	}
	return table
}
