// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package hubtext

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/diff"
)

// Of returns v for an error message about it, for example as the value of
// field.Invalid: it marshals as v does, but without the names, order and omissions
// that the tags of k8s.io/api ask for.
func Of(v any) json.Marshaler { return text{v} }

// Diff returns the lines of the texts of two objects that differ, with context.
func Diff(old, obj any) string { return diff.Diff(Of(old), Of(obj)) }

type text struct{ value any }

func (t text) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	err := write(&out, reflect.ValueOf(t.value))
	return out.Bytes(), err
}

// Concerns says whether values of the type are, point at or list such objects: for
// others Of changes nothing.
func Concerns(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return Concerns(t.Elem())
	case reflect.Struct:
		return tagless(t)
	}
	return false
}

// tagless says that a type of Kubernetes has tags in its served version only.
// Those of apimachinery, such as times and label selectors, always have theirs, and
// so have those that write themselves.
func tagless(t reflect.Type) bool {
	return (strings.HasPrefix(t.PkgPath(), "k8s.io/api/") || strings.HasPrefix(t.PkgPath(), "k8s.io/apiextensions-apiserver/pkg/apis/")) &&
		!reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]())
}

func write(out *bytes.Buffer, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Invalid:
		out.WriteString("null")
		return nil
	case reflect.Pointer, reflect.Interface:
		return write(out, v.Elem())
	case reflect.Struct:
		if tagless(v.Type()) {
			return writeStruct(out, v)
		}
	case reflect.Slice:
		if !v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8 {
			return writeAll(out, "[]", v.Len(), func(i int) error { return write(out, v.Index(i)) })
		}
	case reflect.Map:
		if !v.IsNil() && v.Type().Key().Kind() == reflect.String {
			keys := v.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
			return writeAll(out, "{}", len(keys), func(i int) error {
				return writeMember(out, keys[i].String(), v.MapIndex(keys[i]))
			})
		}
	}
	b, err := json.Marshal(v.Interface())
	out.Write(b)
	return err
}

func writeMember(out *bytes.Buffer, name string, v reflect.Value) error {
	b, err := json.Marshal(name)
	if err != nil {
		return err
	}
	out.Write(append(b, ':'))
	return write(out, v)
}

func writeAll(out *bytes.Buffer, brackets string, n int, one func(int) error) error {
	out.WriteByte(brackets[0])
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := one(i); err != nil {
			return err
		}
	}
	out.WriteByte(brackets[1])
	return nil
}

// writeStruct writes the members of embedded structs, metadata among them, among
// those of v, as there is no tag that gives them a name.
func writeStruct(out *bytes.Buffer, v reflect.Value) error {
	out.WriteByte('{')
	first := true
	for i := range v.NumField() {
		f := v.Type().Field(i)
		var member bytes.Buffer
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			if err := write(&member, v.Field(i)); err != nil {
				return err
			}
			member.Truncate(member.Len() - 1)
			member.Next(1)
		} else if err := writeMember(&member, f.Name, v.Field(i)); err != nil {
			return err
		}
		if member.Len() == 0 {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.Write(member.Bytes())
	}
	out.WriteByte('}')
	return nil
}
