// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/client-go/tools/cache"
)

const (
	nameField      = "metadata.name"
	namespaceField = "metadata.namespace"
	// unnamed stands for the name of a field where selectors cannot name it.
	unnamed = "-"
)

// Field is a field that a field selector may name.
type Field[T any] struct {
	// Path is the name in the selector, for example "spec.suspended".
	Path string
	// Alias is an older name for Path in selectors. Unset: none.
	Alias string
	// Names are what the field is called in versions, such as "events.k8s.io/v1", in
	// which it has another name; a dash if selectors cannot name it there.
	Names map[string]string
	// Value is what the selector is compared with.
	Value func(*T) string
	// Index keeps an index of the values in the watch cache, so that a list or
	// watch for one value does not look at every object. At most one field of a
	// kind has it. Unset: none.
	Index bool
}

// attributes returns the labels and selectable fields of an object: what
// selectors are matched against.
func (k *kind) attributes(obj runtime.Object) (labels.Set, fields.Set, error) {
	if !k.is(obj) {
		return nil, nil, fmt.Errorf("%T is no %s", obj, k.Kind)
	}
	meta := obj.(metav1.Object)
	set := make(fields.Set, len(k.Fields)+2)
	set[nameField] = meta.GetName()
	if !k.ClusterScoped {
		set[namespaceField] = meta.GetNamespace()
	}
	for _, f := range k.Fields {
		set[f.Path] = f.Value(obj)
	}
	return meta.GetLabels(), set, nil
}

func (k *kind) predicate(label labels.Selector, sel fields.Selector) storage.SelectionPredicate {
	p := storage.SelectionPredicate{Label: label, Field: sel, GetAttrs: k.attributes}
	if f := k.indexed(); f != nil {
		p.IndexFields = []string{f.Path}
	}
	return p
}

func (k *kind) indexed() *selectable {
	for i := range k.Fields {
		if k.Fields[i].Index {
			return &k.Fields[i]
		}
	}
	return nil
}

// index returns what makes the watch cache find objects (indexers) and watchers
// (triggers) by the indexed field; both nil if there is none.
func (k *kind) index() (storage.IndexerFuncs, *cache.Indexers) {
	f := k.indexed()
	if f == nil {
		return nil, nil
	}
	triggers := storage.IndexerFuncs{f.Path: f.Value}
	indexers := &cache.Indexers{storage.FieldIndex(f.Path): func(obj any) ([]string, error) {
		object, ok := obj.(runtime.Object)
		if !ok || !k.is(object) {
			return nil, fmt.Errorf("%T is no %s", obj, k.Kind)
		}
		return []string{f.Value(object)}, nil
	}}
	return triggers, indexers
}

// addFieldLabels makes the scheme accept the kind's selectable fields in one
// served version.
func (k *kind) addFieldLabels(scheme *runtime.Scheme, version schema.GroupVersion) error {
	known := map[string]string{nameField: nameField}
	if !k.ClusterScoped {
		known[namespaceField] = namespaceField
	}
	for _, f := range k.Fields {
		name := cmp.Or(f.Names[version.String()], f.Path)
		if name == unnamed {
			continue
		}
		known[name] = f.Path
		if f.Alias != "" {
			known[f.Alias] = f.Path
		}
	}
	return scheme.AddFieldLabelConversionFunc(version.WithKind(k.Kind), func(label, value string) (string, string, error) {
		if path, ok := known[label]; ok {
			return path, value, nil
		}
		return "", "", fmt.Errorf("field label not supported: %s", label)
	})
}
