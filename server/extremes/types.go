// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package extremes

import (
	"reflect"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// indirect returns what t points to; nil for nil.
func indirect(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func isQuantity(t reflect.Type) bool {
	return indirect(t) == reflect.TypeFor[resource.Quantity]()
}

func isTime(t reflect.Type) bool {
	t = indirect(t)
	return t == reflect.TypeFor[metav1.Time]() || t == reflect.TypeFor[metav1.MicroTime]()
}

// has says whether there are quantities or times in t.
func has(t reflect.Type, seen map[reflect.Type]bool) bool {
	t = indirect(t)
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return has(t.Elem(), seen)
	case reflect.Struct:
		if isQuantity(t) || isTime(t) {
			return true
		}
		for f := range t.Fields() {
			if has(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// field returns the type of a field of t by its name in JSON; nil if there is none.
func field(t reflect.Type, name string) reflect.Type {
	t = indirect(t)
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Map:
		return t.Elem()
	case reflect.Struct:
		for f := range t.Fields() {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == name {
				return f.Type
			}
			if tag == "" && f.Anonymous {
				if inner := field(f.Type, name); inner != nil {
					return inner
				}
			}
		}
	}
	return nil
}

// element returns the type of what a list of type t has; nil if it is none.
func element(t reflect.Type) reflect.Type {
	if t = indirect(t); t == nil || t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
		return nil
	}
	return t.Elem()
}

// find calls look with each quantity and time in value.
func find(value reflect.Value, path string, look func(value any, path string)) {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			find(value.Elem(), path, look)
		}
	case reflect.Struct:
		if isQuantity(value.Type()) || isTime(value.Type()) {
			look(value.Interface(), path)
			return
		}
		for f, content := range value.Fields() {
			if !f.IsExported() {
				continue
			}
			at := path
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
				at += "." + tag
			}
			find(content, at, look)
		}
	case reflect.Map:
		for key, content := range value.Seq2() {
			find(content, path+"."+key.String(), look)
		}
	case reflect.Slice, reflect.Array:
		for i := range value.Len() {
			find(value.Index(i), path+"["+strconv.Itoa(i)+"]", look)
		}
	}
}
