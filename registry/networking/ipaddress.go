// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package networking

import (
	"context"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/networking"
	"github.com/stoa-project/stoa/apis/networking/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// IPAddresses returns the kind IPAddress.
func IPAddresses() kind.Kind {
	return kind.New(kind.Definition[networking.IPAddress]{
		Kind: "IPAddress", Plural: "ipaddresses", ShortNames: []string{"ip"}, ClusterScoped: true,
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[networking.IPAddress]{
			ValidateName: validation.ValidateIPAddressName,
			Validate: func(_ context.Context, obj *networking.IPAddress) field.ErrorList {
				return validation.ValidateIPAddress((*networkingv1.IPAddress)(obj))
			},
			// Where a tag finds the reference changed, it does not look into it.
			Declarative: func(context.Context, *networking.IPAddress, *networking.IPAddress) rest.DeclarativeValidationConfig {
				return rest.DeclarativeValidationConfig{ShortCircuitMismatch: true}
			},
			ValidateUpdate: func(_ context.Context, obj, old *networking.IPAddress) field.ErrorList {
				return validation.ValidateIPAddressUpdate((*networkingv1.IPAddress)(obj), (*networkingv1.IPAddress)(old))
			},
		},
		Columns: []kind.Column[networking.IPAddress]{
			kind.Name[networking.IPAddress](),
			{Name: "ParentRef", Description: networkingv1.IPAddressSpec{}.SwaggerDoc()["parentRef"],
				Value: func(a *networking.IPAddress) any { return parent(a.Spec.ParentRef) }},
		},
		Tune: func(store *genericregistry.Store) { store.TableConvertor = withAge{store.TableConvertor} },
	})
}

func parent(ref *networkingv1.ParentReference) string {
	if ref == nil {
		return "<none>"
	}
	name := strings.ToLower(schema.GroupResource{Group: ref.Group, Resource: ref.Resource}.String())
	if ref.Namespace != "" {
		name += "/" + ref.Namespace
	}
	return name + "/" + ref.Name
}

// withAge adds a cell to each row that no column names, as Kubernetes does.
type withAge struct{ rest.TableConvertor }

func (c withAge) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	table, err := c.TableConvertor.ConvertToTable(ctx, obj, options)
	if err != nil {
		return nil, err
	}
	for i := range table.Rows {
		if address, ok := table.Rows[i].Object.Object.(*networking.IPAddress); ok {
			table.Rows[i].Cells = append(table.Rows[i].Cells, kind.HumanAge(address.CreationTimestamp))
		}
	}
	return table, nil
}
