// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// record is a file of the corpus: what kube-apiserver did with one base object.
type record struct {
	Index struct {
		Group, Version, Resource, Subresource, Parent string
		Namespaced                                    bool
	}
	Base   *object
	Create struct {
		Code     int
		Object   *object
		Warnings []string
	}
	Stored     *stored
	StatusBody *object
	Status     *answer
	Table      *table
	Cases      map[string][]testCase
}

// stored is the answer to the create that is kept, with the managed fields.
type stored struct {
	Code    int
	Managed []string
	Message string
}

// table is what kubectl get is told.
type table struct {
	Code    int
	Columns [][]any
	Cells   []string
}

// testCase is a change of the base object, and the answer to it.
type testCase struct {
	path  []any // string keys and json.Number indexes
	how   string
	value any
	want  answer
}

// UnmarshalJSON implements json.Unmarshaler: a case is [path, how, value, answer].
func (c *testCase) UnmarshalJSON(data []byte) error {
	var parts [4]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	path, err := parse(parts[0])
	if err != nil {
		return err
	}
	c.path, _ = path.([]any)
	if c.value, err = parse(parts[2]); err != nil {
		return err
	}
	if err := json.Unmarshal(parts[1], &c.how); err != nil {
		return err
	}
	return json.Unmarshal(parts[3], &c.want)
}

// String describes the change, for example "spec/replicas set -1".
func (c *testCase) String() string {
	const shown = 60
	parts := make([]string, len(c.path))
	for i, p := range c.path {
		parts[i] = fmt.Sprint(p)
	}
	value := []rune(canonical(c.value))
	return fmt.Sprintf("%s %s %s", strings.Join(parts, "/"), c.how, string(value[:min(len(value), shown)]))
}

// apply returns a changed copy of an object; false if the path is not in it.
func (c *testCase) apply(to *object) (*object, bool) {
	out := clone(to).(*object)
	ok := edit(out, c.path, c.how, c.value)
	return out, ok
}

func edit(at any, path []any, how string, value any) bool {
	switch v := at.(type) {
	case *object:
		key, _ := path[0].(string)
		inner, ok := v.values[key]
		switch {
		case len(path) > 1:
			return ok && editInner(inner, func(changed any) { v.set(key, changed) }, path[1:], how, value)
		case how == "set":
			v.set(key, value)
			return true
		case !ok:
			return false
		case how == "del":
			v.remove(key)
			return true
		}
		changed, ok := modify(inner, how, value)
		v.set(key, changed)
		return ok
	case []any:
		i, ok := position(path[0], len(v))
		switch {
		case !ok:
			return false
		case len(path) > 1:
			return editInner(v[i], func(changed any) { v[i] = changed }, path[1:], how, value)
		case how == "set":
			v[i] = value
			return true
		}
		changed, ok := modify(v[i], how, value)
		v[i] = changed
		return ok
	}
	return false
}

// editInner edits what is inside a value. To remove an item of a list is to replace
// the list.
func editInner(inner any, replace func(any), path []any, how string, value any) bool {
	if list, ok := inner.([]any); ok && len(path) == 1 && how == "del" {
		i, ok := position(path[0], len(list))
		if ok {
			replace(append(append([]any{}, list[:i]...), list[i+1:]...))
		}
		return ok
	}
	return edit(inner, path, how, value)
}

func position(key any, length int) (int, bool) {
	n, ok := key.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil && i >= 0 && int(i) < length
}

// modify adds a member to an object, or repeats or reverses a list.
func modify(value any, how string, with any) (any, bool) {
	switch v := value.(type) {
	case *object:
		pair, _ := with.([]any)
		if how != "add" || len(pair) != 2 {
			return value, false
		}
		v.set(pair[0].(string), pair[1])
		return v, true
	case []any:
		switch how {
		case "dup":
			if len(v) > 0 {
				v = append(append([]any{}, v...), clone(v[0]))
			}
			return v, true
		case "rev":
			out := make([]any, 0, len(v))
			for i := range v {
				out = append(out, v[len(v)-1-i])
			}
			return out, true
		}
	}
	return value, false
}

// load reads a file of the corpus, which may be compressed.
func load(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	if strings.HasSuffix(path, ".gz") {
		unzipped, err := gzip.NewReader(file)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		decoder = json.NewDecoder(unzipped)
	}
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
