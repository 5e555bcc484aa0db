// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Object is what the hub type of a kind implements through its pointer.
type Object[T any] interface {
	*T
	runtime.Object
	metav1.Object
}

// Definition describes one stored kind by its hub type T. Kind and Plural are
// required; each other field says what its zero value means.
type Definition[T any] struct {
	// Kind is the CamelCase name of the type, without its group.
	Kind string
	// Plural is the lower-case name in the URL and in discovery.
	Plural string
	// Singular is the name kubectl accepts beside Plural. Unset: Kind in lower case.
	Singular string
	// ShortNames and Categories are what kubectl accepts too. Unset: none.
	ShortNames []string
	Categories []string
	// ClusterScoped objects are in no namespace. Unset: every object is in one.
	ClusterScoped bool
	// Expires removes an object some time after its last write, as --event-ttl says,
	// and keeps none of them in a watch cache: there are many, and few are read.
	// Unset: an object stays until it is deleted.
	Expires bool
	// Prefix is the folder of the kind's keys in etcd, below --etcd-prefix. Unset:
	// Plural.
	Prefix string

	// Spec is the part of the object that users write and whose changes are
	// counted in metadata.generation. Unset: the kind has no generation.
	Spec Part[T]
	// Status is the part that the main endpoint ignores and /status writes.
	// Unset: the kind has no status subresource.
	Status Part[T]
	// StatusMetadata lets a write to /status change labels, annotations,
	// finalizers and owner references as well, as most kinds of Kubernetes do.
	// Unset: /status changes status alone.
	StatusMetadata bool
	// StatusOnCreate lets a create set status, for what registers itself. Unset: a
	// new object has none.
	StatusOnCreate bool
	// NoGeneration leaves metadata.generation alone although there is a Spec, as
	// some kinds of Kubernetes do.
	NoGeneration bool

	// Strategy holds what is special to the kind.
	Strategy Strategy[T]
	// StrategyFor returns the Strategy for a server, if it needs something of that
	// server, such as a client. It is called once for each. Unset: it is Strategy.
	StrategyFor func(Server) (Strategy[T], error)
	// Permit says whether the user of the request in ctx may write what is in the
	// object, for kinds that give rights away. It is called before anything else of a
	// create, with old nil, and of an update of the main endpoint; obj need not have its
	// namespace yet. Unset: who may write the kind may write anything.
	Permit func(ctx context.Context, server Server, obj, old *T) error
	// Subresources edit one part of the object each. Status needs none.
	Subresources []Subresource[T]

	// Scale serves /scale, which kubectl scale and autoscalers use. Unset: there is none.
	Scale *Scale[T]

	// Columns are the cells of kubectl get, in order. Unset: Name and Age.
	Columns []Column[T]
	// Fields are selectable beside metadata.name and metadata.namespace.
	Fields []Field[T]
	// Paths translates the paths in the errors of Strategy, which name hub
	// fields, for the versions whose fields have other names. Keys are versions.
	// Unset: the version has the hub's names.
	Paths map[string][]PathRule

	// CreateOnUpdate lets PUT to a missing name create the object. Unset: that is
	// 404. Server-side apply creates in any case. A kind that sets it says why.
	CreateOnUpdate bool
	// UnconditionalUpdate lets PUT without resourceVersion overwrite whatever is
	// there. Unset: it is refused. A kind that sets it says why.
	UnconditionalUpdate bool

	// ReturnsDeleted answers a delete with the object that is gone, as some kinds of
	// Kubernetes do. Unset: with a Status.
	ReturnsDeleted bool

	// GarbageCollection is what a delete that names no policy does with dependents.
	// Unset: what depends on the object is deleted after it.
	GarbageCollection func(ctx context.Context) rest.GarbageCollectionPolicy

	// Extra adds endpoints below the object that are no part of it, such as
	// "binding" or "log", by the last element of their URL. It is called once for
	// each server, with the store of the main endpoint. Unset: none.
	Extra func(*runtime.Scheme, *REST) map[string]rest.Storage
	// Main replaces the storage of the main endpoint by one that the kind builds
	// around the store, for example to change what delete does. Unset: all verbs.
	Main func(*REST) rest.Storage
	// Tune is called on the store just before it is completed, for the rare
	// setting that Definition has no field for. Unset: nothing is changed.
	Tune func(*genericregistry.Store)
}

// Strategy holds the functions that are special to a kind. All are optional; nil
// means what the comment says. None but Prepare and Canonicalize may change the
// object, and none may change old.
type Strategy[T any] struct {
	// Prepare normalises an object before validation. It is called on create,
	// with old nil and after status was cleared, and on update, after status was
	// taken from old and before the generation is counted. What it changes beyond
	// status must be a field that no user can own. Nil: nothing.
	Prepare func(ctx context.Context, obj, old *T)
	// Validate checks a new object, after defaulting. Metadata is checked for it, by
	// ValidateName and the rules of Kubernetes, and so are the tags of the served
	// types; it need not repeat either. Nil: nothing else to check.
	Validate func(ctx context.Context, obj *T) field.ErrorList
	// ValidateUpdate checks a change, including that obj is valid. Nil: obj is
	// checked by Validate.
	ValidateUpdate func(ctx context.Context, obj, old *T) field.ErrorList
	// PrepareStatus normalises an object before a write to /status is validated,
	// after everything but status was taken from old. Nil: nothing.
	PrepareStatus func(ctx context.Context, obj, old *T)
	// ValidateStatus checks a write to /status. Nil: nothing to check.
	ValidateStatus func(ctx context.Context, obj, old *T) field.ErrorList
	// Canonicalize brings a valid object into the form that is stored. Nil: nothing.
	Canonicalize func(obj *T)
	// Warnings returns the warnings for a valid create (old nil) or update of the
	// main endpoint. Nil: none.
	Warnings func(ctx context.Context, obj, old *T) []string
	// StatusWarnings returns the warnings for a valid write to /status. Nil: none.
	StatusWarnings func(ctx context.Context, obj, old *T) []string
	// Declarative configures the validation by tags of a create (old nil), an update
	// or a write to a subresource. Options that tags name and that are no feature
	// gates must be in it; those that are need not. Nil: there are none.
	Declarative func(ctx context.Context, obj, old *T) rest.DeclarativeValidationConfig
	// CheckGracefulDelete says whether a delete only marks the object at first, to
	// end after options.GracePeriodSeconds, which it sets. Nil: a delete is at once.
	CheckGracefulDelete func(ctx context.Context, obj *T, options *metav1.DeleteOptions) bool
	// SpecChanged says whether an update counts in metadata.generation. Nil: it
	// does when Spec is not semantically equal.
	SpecChanged func(obj, old *T) bool
	// ValidateName says what is wrong with metadata.name; prefix is true when a
	// suffix will be added to it (generateName). Nil: a DNS subdomain (RFC 1123).
	ValidateName func(name string, prefix bool) []string
	// NameFormat is the +k8s:format by which tags of the served types judge
	// metadata.name too, so that what ValidateName finds is not said twice. Unset:
	// there is no such tag.
	NameFormat string
}

// Subresource is an endpoint below the object through which one part of it, and
// nothing else, is read and updated.
type Subresource[T any] struct {
	// Name is the last element of the URL, for example "finalize".
	Name string
	// Part is what an update changes. Required.
	Part Part[T]
	// Path is where Part is in the JSON of every served version, for example
	// {"spec", "finalizers"}. Required.
	Path []string
	// UpdateOnly serves PUT alone. Unset: GET and PATCH too.
	UpdateOnly bool
	// Metadata lets the update change metadata as well. Unset: it keeps it.
	Metadata bool
	// Prepare normalises the object before it is validated, after everything but the
	// part was taken from old. Nil: nothing.
	Prepare func(ctx context.Context, obj, old *T)
	// Validate checks the result of an update. Nil: nothing to check.
	Validate func(ctx context.Context, obj, old *T) field.ErrorList
	// Warnings returns the warnings for a valid update. Nil: none.
	Warnings func(ctx context.Context, obj, old *T) []string
}

// Part is a part of T that is copied, cleared and compared as a whole. The zero
// value means that there is no such part.
type Part[T any] struct {
	copy  func(to, from *T)
	clear func(*T)
	equal func(a, b *T) bool
}

// PartOf returns the part of T that get points at.
func PartOf[T, P any](get func(*T) *P) Part[T] {
	return Part[T]{
		copy:  func(to, from *T) { *get(to) = *get(from) },
		clear: func(obj *T) { *get(obj) = *new(P) },
		equal: func(a, b *T) bool { return apiequality.Semantic.DeepEqual(get(a), get(b)) },
	}
}

func (p Part[T]) set() bool { return p.copy != nil }
