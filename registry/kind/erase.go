// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
)

// definition is a Definition without its type parameter. What is made from it is
// compiled once; code with the parameter would be compiled for each kind anew,
// which made the binary half as big again. Objects are pointers to the hub type.
type definition struct {
	Kind, Plural, Singular, Prefix      string
	ShortNames, Categories              []string
	ClusterScoped                       bool
	NoGeneration, StatusMetadata        bool
	StatusOnCreate, Expires             bool
	ReturnsDeleted                      bool
	CreateOnUpdate, UnconditionalUpdate bool
	Spec, Status                        part
	Strategy                            strategy
	StrategyFor                         func(Server) (strategy, error)
	Subresources                        []subresource
	Scale                               *scale
	Columns                             []column
	Fields                              []selectable
	Paths                               map[string][]PathRule
	GarbageCollection                   func(context.Context) rest.GarbageCollectionPolicy
	Extra                               func(*runtime.Scheme, *REST) map[string]rest.Storage
	Main                                func(*REST) rest.Storage
	Tune                                func(*genericregistry.Store)
	Permit                              func(ctx context.Context, server Server, obj, old runtime.Object) error
	is                                  func(runtime.Object) bool
	newObject                           func() runtime.Object
	assign                              func(to, from runtime.Object)
}

// strategy is a Strategy without its type parameter.
type strategy struct {
	Prepare, PrepareStatus         func(ctx context.Context, obj, old runtime.Object)
	Validate                       func(ctx context.Context, obj runtime.Object) field.ErrorList
	ValidateUpdate, ValidateStatus func(ctx context.Context, obj, old runtime.Object) field.ErrorList
	Warnings, StatusWarnings       func(ctx context.Context, obj, old runtime.Object) []string
	Canonicalize                   func(obj runtime.Object)
	Declarative                    func(ctx context.Context, obj, old runtime.Object) rest.DeclarativeValidationConfig
	CheckGracefulDelete            func(ctx context.Context, obj runtime.Object, options *metav1.DeleteOptions) bool
	SpecChanged                    func(obj, old runtime.Object) bool
	ValidateName                   func(name string, prefix bool) []string
	NameFormat                     string
}

// subresource is a Subresource without its type parameter.
type subresource struct {
	Name                 string
	Part                 part
	Path                 []string
	UpdateOnly, Metadata bool
	Prepare              func(ctx context.Context, obj, old runtime.Object)
	Validate             func(ctx context.Context, obj, old runtime.Object) field.ErrorList
	Warnings             func(ctx context.Context, obj, old runtime.Object) []string
}

// part is a Part without its type parameter.
type part struct {
	copy  func(to, from runtime.Object)
	clear func(runtime.Object)
	equal func(a, b runtime.Object) bool
}

func (p part) set() bool { return p.copy != nil }

// scale is a Scale without its type parameter.
type scale struct {
	Replicas, Status func(runtime.Object) int32
	SetReplicas      func(runtime.Object, int32)
	Selector         func(runtime.Object) string
	Path             []string
}

// column is a Column without its type parameter.
type column struct {
	header metav1.TableColumnDefinition
	value  func(runtime.Object) any
}

// selectable is a Field without its type parameter.
type selectable struct {
	Path, Alias string
	Names       map[string]string
	Value       func(runtime.Object) string
	Index       bool
}

// erase takes the type parameter off.
func erase[T any, PT Object[T]](d Definition[T]) definition {
	out := definition{
		Kind: d.Kind, Plural: d.Plural, Singular: d.Singular, Prefix: d.Prefix,
		ShortNames: d.ShortNames, Categories: d.Categories, ClusterScoped: d.ClusterScoped,
		NoGeneration: d.NoGeneration, StatusMetadata: d.StatusMetadata,
		StatusOnCreate: d.StatusOnCreate, Expires: d.Expires, ReturnsDeleted: d.ReturnsDeleted,
		CreateOnUpdate: d.CreateOnUpdate, UnconditionalUpdate: d.UnconditionalUpdate,
		Spec: erasePart(d.Spec), Status: erasePart(d.Status), Strategy: eraseStrategy(d.Strategy),
		Columns: eraseColumns(d.Columns), Paths: d.Paths, GarbageCollection: d.GarbageCollection,
		Extra: d.Extra, Main: d.Main, Tune: d.Tune,
		is:        is[T],
		newObject: func() runtime.Object { return PT(new(T)) },
		assign:    func(to, from runtime.Object) { *typed[T](to) = *typed[T](from) },
	}
	if d.Permit != nil {
		out.Permit = func(ctx context.Context, server Server, obj, old runtime.Object) error {
			return d.Permit(ctx, server, typed[T](obj), typed[T](old))
		}
	}
	if d.StrategyFor != nil {
		out.StrategyFor = func(server Server) (strategy, error) {
			s, err := d.StrategyFor(server)
			return eraseStrategy(s), err
		}
	}
	for _, s := range d.Subresources {
		out.Subresources = append(out.Subresources, subresource{
			Name: s.Name, Part: erasePart(s.Part), Path: s.Path, UpdateOnly: s.UpdateOnly, Metadata: s.Metadata,
			Prepare: change(s.Prepare), Validate: compare(s.Validate), Warnings: compare(s.Warnings),
		})
	}
	if s := d.Scale; s != nil {
		out.Scale = &scale{Replicas: get(s.Replicas), Status: get(s.Status), Selector: get(s.Selector), Path: s.Path}
		if s.SetReplicas != nil {
			out.Scale.SetReplicas = func(obj runtime.Object, n int32) { s.SetReplicas(typed[T](obj), n) }
		}
	}
	for _, f := range d.Fields {
		out.Fields = append(out.Fields, selectable{Path: f.Path, Alias: f.Alias, Names: f.Names, Value: get(f.Value), Index: f.Index})
	}
	return out
}

func eraseStrategy[T any](s Strategy[T]) strategy {
	out := strategy{
		Prepare: change(s.Prepare), PrepareStatus: change(s.PrepareStatus), ValidateUpdate: compare(s.ValidateUpdate),
		ValidateStatus: compare(s.ValidateStatus), Warnings: compare(s.Warnings), StatusWarnings: compare(s.StatusWarnings),
		Declarative: compare(s.Declarative), ValidateName: s.ValidateName, NameFormat: s.NameFormat,
	}
	if s.Validate != nil {
		out.Validate = func(ctx context.Context, obj runtime.Object) field.ErrorList { return s.Validate(ctx, typed[T](obj)) }
	}
	if s.Canonicalize != nil {
		out.Canonicalize = func(obj runtime.Object) { s.Canonicalize(typed[T](obj)) }
	}
	if s.CheckGracefulDelete != nil {
		out.CheckGracefulDelete = func(ctx context.Context, obj runtime.Object, options *metav1.DeleteOptions) bool {
			return s.CheckGracefulDelete(ctx, typed[T](obj), options)
		}
	}
	if s.SpecChanged != nil {
		out.SpecChanged = func(obj, old runtime.Object) bool { return s.SpecChanged(typed[T](obj), typed[T](old)) }
	}
	return out
}

func erasePart[T any](p Part[T]) part {
	if !p.set() {
		return part{}
	}
	return part{
		copy:  func(to, from runtime.Object) { p.copy(typed[T](to), typed[T](from)) },
		clear: func(obj runtime.Object) { p.clear(typed[T](obj)) },
		equal: func(a, b runtime.Object) bool { return p.equal(typed[T](a), typed[T](b)) },
	}
}

func eraseColumns[T any](columns []Column[T]) []column {
	if columns == nil {
		columns = []Column[T]{Name[T](), Age[T]()}
	}
	out := make([]column, len(columns))
	for i, c := range columns {
		header := metav1.TableColumnDefinition{Name: c.Name, Type: c.Type, Format: c.Format, Description: c.Description}
		if c.Type == "" {
			header.Type = "string"
		}
		if c.Wide {
			header.Priority = 1
		}
		out[i] = column{header, get(c.Value)}
	}
	return out
}

func is[T any](obj runtime.Object) bool {
	_, ok := any(obj).(*T)
	return ok
}

// typed returns the object as its own type; nil if there is none.
func typed[T any](obj runtime.Object) *T {
	out, _ := any(obj).(*T)
	return out
}

func get[T, R any](f func(*T) R) func(runtime.Object) R {
	if f == nil {
		return nil
	}
	return func(obj runtime.Object) R { return f(typed[T](obj)) }
}

func change[T any](f func(ctx context.Context, obj, old *T)) func(ctx context.Context, obj, old runtime.Object) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, obj, old runtime.Object) { f(ctx, typed[T](obj), typed[T](old)) }
}

func compare[T, R any](f func(ctx context.Context, obj, old *T) R) func(ctx context.Context, obj, old runtime.Object) R {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, obj, old runtime.Object) R { return f(ctx, typed[T](obj), typed[T](old)) }
}
