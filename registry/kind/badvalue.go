// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// showHubValues makes errors print structs of the Kubernetes API the way clients
// of kube-apiserver know them: there validation sees types without JSON tags, so
// that fields appear under their Go names and even when they are empty.
func showHubValues(errs field.ErrorList) {
	for _, e := range errs {
		if e.BadValue != nil && holdsAPIStruct(reflect.TypeOf(e.BadValue)) {
			e.BadValue = hubValue{e.BadValue}
		}
	}
}

// hubValue marshals its value without the JSON tags of API types.
type hubValue struct{ value any }

// MarshalJSON implements json.Marshaler.
func (h hubValue) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	if err := writeHub(&out, reflect.ValueOf(h.value)); err != nil {
		return nil, fmt.Errorf("print a value of an error: %w", err)
	}
	return out.Bytes(), nil
}

// holdsAPIStruct says whether values of t are, or point at or list, API structs.
func holdsAPIStruct(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return holdsAPIStruct(t.Elem())
	case reflect.Struct:
		return isAPIType(t)
	default:
		return false
	}
}

// isAPIType tells the types of API groups from those of meta/v1, resource and the
// like, whose JSON tags kube-apiserver does see.
func isAPIType(t reflect.Type) bool {
	return strings.HasPrefix(t.PkgPath(), "k8s.io/api/") || strings.HasPrefix(t.PkgPath(), "k8s.io/apiextensions-apiserver/pkg/apis/")
}

func writeHub(out *bytes.Buffer, v reflect.Value) error {
	if !holdsAPIStruct(v.Type()) || v.Type().Implements(reflect.TypeFor[json.Marshaler]()) ||
		reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[json.Marshaler]()) {
		raw, err := json.Marshal(v.Interface())
		out.Write(raw)
		return err
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			out.WriteString("null")
			return nil
		}
		return writeHub(out, v.Elem())
	case reflect.Slice:
		return writeHubList(out, v)
	case reflect.Map:
		return writeHubMap(out, v)
	default:
		out.WriteByte('{')
		if err := writeHubFields(out, v, out.Len()); err != nil {
			return err
		}
		out.WriteByte('}')
		return nil
	}
}

func writeHubList(out *bytes.Buffer, v reflect.Value) error {
	if v.IsNil() {
		out.WriteString("null")
		return nil
	}
	out.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := writeHub(out, v.Index(i)); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

func writeHubMap(out *bytes.Buffer, v reflect.Value) error {
	if v.IsNil() {
		out.WriteString("null")
		return nil
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	out.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(out, "%q:", key.String())
		if err := writeHub(out, v.MapIndex(key)); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

// writeHubFields writes the fields of a struct, those of embedded structs in
// their place. start is where the first field of the object begins.
func writeHubFields(out *bytes.Buffer, v reflect.Value, start int) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Anonymous && isAPIType(f.Type):
			if err := writeHubFields(out, v.Field(i), start); err != nil {
				return err
			}
			continue
		case f.Anonymous:
			// Metadata: its own tags hold.
			raw, err := json.Marshal(v.Field(i).Interface())
			if err != nil {
				return err
			}
			if inner := bytes.TrimSuffix(bytes.TrimPrefix(raw, []byte("{")), []byte("}")); len(inner) > 0 {
				separate(out, start)
				out.Write(inner)
			}
			continue
		}
		separate(out, start)
		fmt.Fprintf(out, "%q:", f.Name)
		if err := writeHub(out, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func separate(out *bytes.Buffer, start int) {
	if out.Len() > start {
		out.WriteByte(',')
	}
}
