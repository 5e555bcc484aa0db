// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kube-openapi/pkg/common"
)

// Group is the table of the kinds of one API group.
type Group struct {
	// Name of the group; "" is the core group, served below /api.
	Name string
	// Install registers the hub and every served version, and says by
	// Scheme.SetVersionPriority which version is preferred. It is called once for
	// each server and panics if the types clash, which only a programmer can cause.
	Install func(*runtime.Scheme)
	// StorageVersion is the version that is stored. Unset: the preferred one.
	StorageVersion string
	// OpenAPI returns the definitions of the served types. Unset: they are among
	// those that the server has anyway.
	OpenAPI common.GetOpenAPIDefinitions
	// Resources are the rows of the table.
	Resources []Resource
	// Join adds to the storage of a version, by path, what takes the stores of several
	// kinds, or of another one than its own. It is called once for each server and
	// version. Unset: nothing is added.
	Join func(server Server, paths map[string]rest.Storage) error
}

// Types returns what Group.Install is for a group of one version, from what
// registers its types.
func Types(add ...func(*runtime.Scheme) error) func(*runtime.Scheme) {
	return func(scheme *runtime.Scheme) {
		for _, f := range add {
			utilruntime.Must(f(scheme))
		}
	}
}

// Resource is a row: a kind and the versions it is served in. All versions share
// one store.
type Resource struct {
	Kind     Kind
	Versions []string
}

// AddTo registers the group's types and selectable fields in a scheme.
func (g Group) AddTo(scheme *runtime.Scheme) error {
	g.Install(scheme)
	for _, r := range g.Resources {
		for _, v := range r.Versions {
			if err := r.Kind.addTo(scheme, schema.GroupVersion{Group: g.Name, Version: v}); err != nil {
				return fmt.Errorf("types of %s in %s/%s: %w", r.Kind.Resource(), g.Name, v, err)
			}
		}
	}
	return nil
}

// Storage builds the group's stores and returns their REST storage by version and
// path, as apiserver's APIGroupInfo.VersionedResourcesStorageMap wants it. What
// enabled refuses is not served; a kind refused in every version has no store.
func (g Group) Storage(scheme *runtime.Scheme, server Server, enabled func(schema.GroupVersionResource) bool) (map[string]map[string]rest.Storage, error) {
	out := map[string]map[string]rest.Storage{}
	for _, r := range g.Resources {
		served := slices.DeleteFunc(slices.Clone(r.Versions), func(v string) bool {
			return !enabled(schema.GroupVersionResource{Group: g.Name, Version: v, Resource: r.Kind.Resource()})
		})
		if len(served) == 0 {
			continue
		}
		paths, err := r.Kind.storage(scheme, g.Name, server)
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", g.Name, err)
		}
		for _, v := range served {
			if out[v] == nil {
				out[v] = map[string]rest.Storage{}
			}
			maps.Copy(out[v], paths)
		}
	}
	for v, paths := range out {
		if g.Join == nil {
			break
		}
		if err := g.Join(server, paths); err != nil {
			return nil, fmt.Errorf("group %q, version %s: %w", g.Name, v, err)
		}
	}
	return out, nil
}

// Prefixes returns the folders of keys in etcd of those resources of the groups
// that are not stored below their plural name.
func Prefixes(groups []Group) map[schema.GroupResource]string {
	out := map[schema.GroupResource]string{}
	for _, g := range groups {
		for _, r := range g.Resources {
			if prefix := r.Kind.prefix(); prefix != "" {
				out[schema.GroupResource{Group: g.Name, Resource: r.Kind.Resource()}] = prefix
			}
		}
	}
	return out
}

// Uncached says whether a resource of the groups has no watch cache.
func Uncached(groups []Group, resource schema.GroupResource) bool {
	for _, g := range groups {
		for _, r := range g.Resources {
			if g.Name == resource.Group && r.Kind.Resource() == resource.Resource {
				return r.Kind.expires()
			}
		}
	}
	return false
}

// Protobuf says whether the kind of a row has protobuf marshallers in all its versions.
// One that has none is stored as JSON.
func (r Resource) Protobuf(scheme *runtime.Scheme, group string) bool {
	return !slices.ContainsFunc(r.Versions, func(v string) bool {
		return !r.Kind.marshals(scheme, schema.GroupVersion{Group: group, Version: v})
	})
}

// WithoutProtobuf returns the versions of the group in which some kind has no protobuf
// marshallers, and whether these are all. They do not offer protobuf to clients.
func (g Group) WithoutProtobuf(scheme *runtime.Scheme) (versions sets.Set[string], all bool) {
	versions = sets.Set[string]{}
	others := sets.Set[string]{}
	for _, r := range g.Resources {
		if r.Protobuf(scheme, g.Name) {
			others.Insert(r.Versions...)
		} else {
			versions.Insert(r.Versions...)
		}
	}
	return versions, versions.IsSuperset(others)
}

// Custom returns a row for a resource that implements rest.Storage itself, such
// as a review or a virtual kind. build is called once for each server and returns
// the storage of each path below the version.
func Custom(resource string, build func(*runtime.Scheme, Server) (map[string]rest.Storage, error)) Kind {
	return custom{resource: resource, build: build}
}

type custom struct {
	resource string
	build    func(*runtime.Scheme, Server) (map[string]rest.Storage, error)
}

func (c custom) Resource() string { return c.resource }

func (c custom) addTo(*runtime.Scheme, schema.GroupVersion) error { return nil }

func (c custom) prefix() string { return "" }

func (c custom) expires() bool { return false }

// marshals is true because nothing is stored.
func (c custom) marshals(*runtime.Scheme, schema.GroupVersion) bool { return true }

func (c custom) storage(scheme *runtime.Scheme, _ string, server Server) (map[string]rest.Storage, error) {
	return c.build(scheme, server)
}
