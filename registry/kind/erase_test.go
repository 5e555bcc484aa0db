// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A definition with everything set has everything set without its type parameter
// too: a field that is added to one and forgotten in the other fails here.
func TestEraseKeepsEverything(t *testing.T) {
	t.Parallel()
	var d Definition[corev1.Namespace]
	fill(t, reflect.ValueOf(&d).Elem())
	part := PartOf(func(n *corev1.Namespace) *corev1.NamespaceSpec { return &n.Spec })
	d.Spec, d.Status, d.Subresources[0].Part = part, part, part
	erased := erase(d)
	for _, pair := range [][2]any{
		{d, erased}, {d.Strategy, erased.Strategy}, {d.Subresources[0], erased.Subresources[0]},
		{*d.Scale, *erased.Scale}, {d.Fields[0], erased.Fields[0]},
	} {
		from, to := reflect.ValueOf(pair[0]), reflect.ValueOf(pair[1])
		for i := range from.NumField() {
			name := from.Type().Field(i).Name
			if f := to.FieldByName(name); !f.IsValid() || f.IsZero() {
				t.Errorf("%s loses %s", from.Type(), name)
			}
		}
	}
}

// fill sets every field of a struct to something.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(t, field)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), nil))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("a %s is not expected in a definition", v.Kind())
	}
}
