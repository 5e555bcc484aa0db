// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// REST is the storage of a kind's main endpoint: all verbs of a stored object.
type REST struct {
	*genericregistry.Store
	// Begin is called before each create and update of the main endpoint, for what has to
	// happen around all of it: the hooks of the store are called before the write, and
	// again if it is tried again. They get the context that it returns. The function that
	// it returns is called at the end, also of one that panics, with the object that was
	// written; nil means that there may be none. Unset: nothing happens.
	Begin func(ctx context.Context) (context.Context, func(written runtime.Object))

	shortNames, categories []string
	permit                 func(ctx context.Context, obj, old runtime.Object) error // may be nil
}

var (
	_ rest.StandardStorage           = (*REST)(nil)
	_ rest.ShortNamesProvider        = (*REST)(nil)
	_ rest.CategoriesProvider        = (*REST)(nil)
	_ rest.Updater                   = (*updateREST)(nil)
	_ rest.Patcher                   = (*partREST)(nil)
	_ rest.ResetFieldsFilterStrategy = (*partREST)(nil)
)

// ShortNames implements rest.ShortNamesProvider.
func (r *REST) ShortNames() []string { return r.shortNames }

// Categories implements rest.CategoriesProvider.
func (r *REST) Categories() []string { return r.categories }

// Create implements rest.Creature.
func (r *REST) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (out runtime.Object, err error) {
	if r.permit != nil {
		if err := r.permit(ctx, obj, nil); err != nil {
			return nil, err
		}
	}
	if r.Begin != nil {
		var end func(runtime.Object)
		ctx, end = r.Begin(ctx)
		defer func() { end(out) }()
	}
	return r.Store.Create(ctx, obj, validate, options)
}

// Update implements rest.Updater.
func (r *REST) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc, forceCreate bool, options *metav1.UpdateOptions) (out runtime.Object, created bool, err error) {
	if r.permit != nil {
		info = rest.WrapUpdatedObjectInfo(info, func(ctx context.Context, obj, old runtime.Object) (runtime.Object, error) {
			return obj, r.permit(ctx, obj, old)
		})
	}
	if r.Begin != nil {
		var end func(runtime.Object)
		ctx, end = r.Begin(ctx)
		defer func() { end(out) }()
	}
	return r.Store.Update(ctx, name, info, create, update, forceCreate, options)
}

// Freshness says where Lookup reads.
type Freshness string

const (
	// FromStore reads what is stored now.
	FromStore Freshness = ""
	// FromCache may be behind by what has not reached the watch cache yet.
	FromCache Freshness = "0"
)

// Lookup returns an object for a request that is about another one, perhaps of another
// kind.
func (r *REST) Lookup(ctx context.Context, key types.NamespacedName, from Freshness) (runtime.Object, error) {
	resource := r.DefaultQualifiedResource
	ctx = genericapirequest.WithNamespace(ctx, key.Namespace)
	// By this the store names the object in errors.
	ctx = genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{
		IsResourceRequest: true, Verb: "get", APIGroup: resource.Group, Resource: resource.Resource, Namespace: key.Namespace, Name: key.Name,
	})
	return r.Get(ctx, key.Name, &metav1.GetOptions{ResourceVersion: string(from)})
}

// updateREST serves PUT on a subresource. It never creates the parent.
type updateREST struct{ store *genericregistry.Store }

func (r *updateREST) New() runtime.Object { return r.store.New() }

// Destroy does nothing: the main endpoint destroys the store that both share.
func (r *updateREST) Destroy() {}

func (r *updateREST) Update(ctx context.Context, name string, obj rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return r.store.Update(ctx, name, obj, create, update, false, options)
}

// partREST serves GET, PUT and PATCH on a subresource.
type partREST struct {
	updateREST
	filter map[fieldpath.APIVersion]fieldpath.Filter
}

func (r *partREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return r.store.Get(ctx, name, options)
}

func (r *partREST) ConvertToTable(ctx context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	return r.store.ConvertToTable(ctx, obj, options)
}

// GetResetFieldsFilter implements rest.ResetFieldsFilterStrategy: server-side
// apply owns nothing but what the subresource takes over.
func (r *partREST) GetResetFieldsFilter() map[fieldpath.APIVersion]fieldpath.Filter {
	return r.filter
}

func (k *kind) resetFilter(scheme *runtime.Scheme, sub subresource) map[fieldpath.APIVersion]fieldpath.Filter {
	path := make([]any, len(sub.Path))
	for i, p := range sub.Path {
		path[i] = p
	}
	kept := []*fieldpath.SetMatcher{fieldpath.MakePrefixMatcherOrDie(path...)}
	if sub.Metadata {
		kept = append(kept, fieldpath.MakePrefixMatcherOrDie("metadata"))
	}
	out := map[fieldpath.APIVersion]fieldpath.Filter{}
	for _, gv := range k.versions(scheme) {
		out[fieldpath.APIVersion(gv.String())] = fieldpath.NewIncludeMatcherFilter(kept...)
	}
	return out
}
