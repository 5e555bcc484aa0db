// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/tenancy/journal"
)

const (
	// projects is the plural name of Project.
	projects = "projects"
	// overlap is how much later than another server one may hear what happens at a host:
	// until then, it notices that its connection is broken.
	overlap = time.Minute
)

// Projects returns the kind Project, of which nothing is stored: the projects of
// somebody are the namespaces that he has access to. It is not served where these, or
// what gives access, are stored elsewhere.
func Projects() kind.Kind {
	return kind.Custom(projects, func(_ *runtime.Scheme, server kind.Server) (map[string]rest.Storage, error) {
		sources := projectSources(server)
		if sources == nil || server.Loopback == nil {
			return nil, nil
		}
		config := journal.Config{Sources: sources}
		served := &projectREST{
			TableConvertor: kind.Table[tenancy.Project](projectColumns()),
			authorizer:     server.Authorizer,
			ownerRole:      server.OwnerRole,
			cluster:        server.Loopback,
		}
		if !server.LimitsTenants {
			served.tenants = &tenantSlots{config: server.Loopback}
		}
		if host := server.Host; host != nil {
			served.cluster, served.behind, config.Begin = host.Config, true, host.Begin
			leases, err := coordinationv1.NewForConfig(host.Config)
			if err != nil {
				return nil, fmt.Errorf("client for leases: %w", err)
			}
			served.promises = NewPromises(leases.Leases(host.Namespace))
			if host.Shared {
				config.Overlap = overlap
			}
		}
		served.journal = journal.New(config)
		return map[string]rest.Storage{projects: served}, nil
	})
}

// projectSources are what projects are made from; nil if something is missing.
func projectSources(server kind.Server) []*kind.Source {
	if server.Source == nil {
		return nil
	}
	roles := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	var out []*kind.Source
	for _, resource := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "namespaces"},
		roles.WithResource("roles"), roles.WithResource("clusterroles"),
		roles.WithResource("rolebindings"), roles.WithResource("clusterrolebindings"),
		{Group: tenancy.GroupName, Version: "v1", Resource: "tenants"},
	} {
		source := server.Source(resource)
		if source == nil {
			return nil
		}
		out = append(out, source)
	}
	return out
}

func projectColumns() []kind.Column[tenancy.Project] {
	return []kind.Column[tenancy.Project]{
		kind.Name[tenancy.Project](),
		{Name: "Display Name", Description: "The name for people.",
			Value: func(p *tenancy.Project) any { return p.Spec.DisplayName }},
		{Name: "Tenant", Description: "Whose project it is.",
			Value: func(p *tenancy.Project) any { return p.Spec.Tenant }},
		{Name: "Phase", Description: "Whether the project can be used or is being deleted.",
			Value: func(p *tenancy.Project) any { return string(p.Status.Phase) }},
		kind.Age[tenancy.Project](),
	}
}

// The fields that selectors can name.
const (
	fieldName   = "metadata.name"
	fieldTenant = "spec.tenant"
	fieldPhase  = "status.phase"
)

// addProjectFields makes a scheme accept the selectable fields.
func addProjectFields(scheme *runtime.Scheme, versions ...string) {
	for _, version := range versions {
		gvk := schema.GroupVersionKind{Group: tenancy.GroupName, Version: version, Kind: "Project"}
		utilruntime.Must(scheme.AddFieldLabelConversionFunc(gvk, func(label, value string) (string, string, error) {
			switch label {
			case fieldName, fieldTenant, fieldPhase:
				return label, value, nil
			default:
				return "", "", fmt.Errorf("field label not supported: %s", label)
			}
		}))
	}
}
