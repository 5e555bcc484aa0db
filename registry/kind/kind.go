// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"

	"github.com/stoa-project/stoa/apis/autoscaling"
	autoscalingv1 "github.com/stoa-project/stoa/apis/autoscaling/v1"
)

// Kind is a row of a group's table: a resource and its subresources, whatever
// the Go type behind them. Make one with [New] or [Custom].
type Kind interface {
	// Resource returns the plural name.
	Resource() string
	// addTo is called once for each served version, before Storage, and registers
	// what the kind needs beside its own types.
	addTo(scheme *runtime.Scheme, version schema.GroupVersion) error
	// storage is called once for each server. It returns the storage of each path
	// below the version, such as "tenants" and "tenants/status".
	storage(scheme *runtime.Scheme, group string, server Server) (map[string]rest.Storage, error)
	// prefix is the folder of the keys in etcd; empty if it is the plural name.
	prefix() string
	// expires says whether objects go away by themselves, and are not cached.
	expires() bool
	// marshals says whether the objects of a version can be stored as protobuf.
	marshals(scheme *runtime.Scheme, version schema.GroupVersion) bool
}

// kind is a Definition with what New derived from it.
type kind struct {
	definition
	table *table
	// group is the API group it is served in.
	group string
	// gates are those of the server.
	gates map[string]bool
}

// New returns the kind that a definition describes. Only T is ever spelled.
func New[T any, PT Object[T]](d Definition[T]) Kind {
	if d.Singular == "" {
		d.Singular = strings.ToLower(d.Kind)
	}
	erased := erase[T, PT](d)
	return &kind{definition: erased, table: newTable(erased.Columns, erased.is)}
}

func (k *kind) Resource() string { return k.Plural }

func (k *kind) prefix() string { return k.Prefix }

func (k *kind) expires() bool { return k.Expires }

func (k *kind) marshals(scheme *runtime.Scheme, version schema.GroupVersion) bool {
	obj, err := scheme.New(version.WithKind(k.Kind))
	if err != nil {
		return false
	}
	_, ok := obj.(runtime.ProtobufReverseMarshaller)
	return ok
}

func (k *kind) addTo(scheme *runtime.Scheme, version schema.GroupVersion) error {
	if k.Scale != nil && !scheme.Recognizes(autoscaling.SchemeGroupVersion.WithKind("Scale")) {
		if err := autoscalingv1.AddToScheme(scheme); err != nil {
			return err
		}
	}
	return k.addFieldLabels(scheme, version)
}

// check reports what a definition lacks or contradicts.
func (k *kind) check() error {
	var errs []error
	if k.Kind == "" || k.Plural == "" {
		errs = append(errs, errors.New("Kind and Plural must be set"))
	}
	indexes := 0
	for _, f := range k.Fields {
		if f.Path == "" || f.Value == nil {
			errs = append(errs, errors.New("a field must have Path and Value"))
		}
		if f.Index {
			indexes++
		}
	}
	if indexes > 1 {
		errs = append(errs, errors.New("at most one field may have Index"))
	}
	for _, c := range k.Columns {
		if c.header.Name == "" || c.value == nil {
			errs = append(errs, errors.New("a column must have Name and Value"))
		}
	}
	for _, s := range k.Subresources {
		if s.Name == "" || !s.Part.set() || len(s.Path) == 0 {
			errs = append(errs, errors.New("a subresource must have Name, Part and Path"))
		}
	}
	if s := k.Scale; s != nil && (s.Replicas == nil || s.SetReplicas == nil || s.Status == nil) {
		errs = append(errs, errors.New("a scale must have Replicas, SetReplicas and Status"))
	}
	return errors.Join(errs...)
}

func (k *kind) storage(scheme *runtime.Scheme, group string, server Server) (map[string]rest.Storage, error) {
	bound := *k
	bound.group, bound.gates = group, server.Gates
	if k.StrategyFor != nil {
		var err error
		if bound.Strategy, err = k.StrategyFor(server); err != nil {
			return nil, fmt.Errorf("strategy of %s: %w", k.Plural, err)
		}
	}
	return bound.build(scheme, server)
}

// build makes the storage of a kind whose group is known.
func (k *kind) build(scheme *runtime.Scheme, server Server) (map[string]rest.Storage, error) {
	if err := k.check(); err != nil {
		return nil, fmt.Errorf("definition of kind %q: %w", k.Kind, err)
	}
	main, err := k.store(scheme, server)
	if err != nil {
		return nil, fmt.Errorf("store of %s: %w", k.Plural, err)
	}
	out := map[string]rest.Storage{k.Plural: main}
	if k.Main != nil {
		out[k.Plural] = k.Main(main)
	}
	subs := k.Subresources
	if k.Status.set() {
		subs = append([]subresource{{
			Name: "status", Part: k.Status, Path: []string{"status"},
			Metadata: k.StatusMetadata, Prepare: k.Strategy.PrepareStatus,
			Validate: k.Strategy.ValidateStatus, Warnings: k.Strategy.StatusWarnings,
		}}, subs...)
	}
	for _, sub := range subs {
		out[k.Plural+"/"+sub.Name] = k.part(scheme, main.Store, sub)
	}
	if k.Scale != nil {
		out[k.Plural+"/scale"] = newScaleREST(k, scheme, main)
	}
	if k.Extra != nil {
		for name, storage := range k.Extra(scheme, main) {
			out[k.Plural+"/"+name] = storage
		}
	}
	return out, nil
}

func (k *kind) store(scheme *runtime.Scheme, server Server) (*REST, error) {
	list := schema.GroupVersionKind{Group: k.group, Version: runtime.APIVersionInternal, Kind: k.Kind + "List"}
	if _, err := scheme.New(list); err != nil {
		return nil, err
	}
	strategy := mainStrategy{rest.DeclarativeValidation{Scheme: scheme}, names.SimpleNameGenerator, k}
	store := &genericregistry.Store{
		NewFunc: k.newObject,
		NewListFunc: func() runtime.Object {
			obj, _ := scheme.New(list) // cannot fail: it did not above
			return obj
		},
		PredicateFunc:             k.predicate,
		DefaultQualifiedResource:  schema.GroupResource{Group: k.group, Resource: k.Plural},
		SingularQualifiedResource: schema.GroupResource{Group: k.group, Resource: k.Singular},
		CreateStrategy:            strategy,
		UpdateStrategy:            strategy,
		DeleteStrategy:            newDeleteStrategy(strategy),
		ResetFieldsStrategy:       strategy,
		TableConvertor:            k.table,
		ReturnDeletedObject:       k.ReturnsDeleted,
	}
	if k.Expires {
		store.TTLFunc = func(runtime.Object, uint64, bool) (uint64, error) { return uint64(server.EventTTL.Seconds()), nil }
	}
	if k.Tune != nil {
		k.Tune(store)
	}
	triggers, indexers := k.index()
	err := store.CompleteWithOptions(&generic.StoreOptions{
		RESTOptions: server.Options, AttrFunc: k.attributes, TriggerFunc: triggers, Indexers: indexers,
	})
	if err != nil {
		return nil, err
	}
	out := &REST{Store: store, shortNames: k.ShortNames, categories: k.Categories}
	if k.Permit != nil {
		out.permit = func(ctx context.Context, obj, old runtime.Object) error { return k.Permit(ctx, server, obj, old) }
	}
	return out, nil
}

// versions are those in which the kind may be served: all but the hub.
func (k *kind) versions(scheme *runtime.Scheme) []schema.GroupVersion {
	all := scheme.VersionsForGroupKind(schema.GroupKind{Group: k.group, Kind: k.Kind})
	return slices.DeleteFunc(all, func(gv schema.GroupVersion) bool { return gv.Version == runtime.APIVersionInternal })
}

// part returns the storage of a subresource. It shares everything with the main store
// but the strategy of updates. The hooks for an object that is read or gone are those
// that the main store has when they are called: a server sets them after this.
func (k *kind) part(scheme *runtime.Scheme, main *genericregistry.Store, sub subresource) rest.Storage {
	store := *main
	store.CreateStrategy = nil
	store.Decorator = func(obj runtime.Object) {
		if main.Decorator != nil {
			main.Decorator(obj)
		}
	}
	store.AfterDelete = func(obj runtime.Object, options *metav1.DeleteOptions) {
		if main.AfterDelete != nil {
			main.AfterDelete(obj, options)
		}
	}
	store.UpdateStrategy = partStrategy{
		DeclarativeValidation: rest.DeclarativeValidation{Scheme: scheme},
		kind:                  k, sub: sub, declared: k.declares(scheme, sub.Name),
	}
	update := updateREST{store: &store}
	if sub.UpdateOnly {
		return &update
	}
	return &partREST{updateREST: update, filter: k.resetFilter(scheme, sub)}
}

// declares says whether the served types know the subresource: the generated
// validation answers with an internal error for one that they do not name with
// +k8s:supportsSubresource.
func (k *kind) declares(scheme *runtime.Scheme, subresource string) bool {
	for _, gv := range k.versions(scheme) {
		obj, err := scheme.New(gv.WithKind(k.Kind))
		if err != nil {
			continue
		}
		for _, e := range scheme.Validate(context.Background(), k.gates, obj, subresource) { //nolint:forbidigo // asks the scheme, for no request
			if e.Type == field.ErrorTypeInternal {
				return false
			}
		}
	}
	return true
}
