// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// patch returns the JSON patch that makes one object another one; nil if they are equal.
// It says nothing of what did not change: the cluster may know fields there that the types
// of this server do not have.
func patch(from, to any) ([]byte, error) {
	before, err := plain(from)
	if err != nil {
		return nil, err
	}
	after, err := plain(to)
	if err != nil {
		return nil, err
	}
	out := changes(nil, "", before, after)
	if len(out) == 0 {
		return nil, nil
	}
	return json.Marshal(out)
}

// plain is an object as JSON has it.
func plain(obj any) (out any, err error) {
	content, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("patch: %w", err)
	}
	if err := json.Unmarshal(content, &out); err != nil {
		return nil, fmt.Errorf("patch: %w", err)
	}
	return out, nil
}

func changes(out []operation, path string, before, after any) []operation {
	if reflect.DeepEqual(before, after) {
		return out
	}
	if old, ok := before.(map[string]any); ok {
		if now, ok := after.(map[string]any); ok {
			return fields(out, path, old, now)
		}
	}
	if old, ok := before.([]any); ok {
		if now, ok := after.([]any); ok && len(old) < len(now) && reflect.DeepEqual(old, now[:len(old)]) {
			for _, value := range now[len(old):] {
				out = append(out, operation{"add", path + "/-", value})
			}
			return out
		}
	}
	return append(out, operation{"replace", path, after})
}

func fields(out []operation, path string, before, after map[string]any) []operation {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, stays := after[name]; !stays {
			out = append(out, operation{Op: "remove", Path: path + "/" + escape.Replace(name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		at := path + "/" + escape.Replace(name)
		if old, was := before[name]; was {
			out = changes(out, at, old, after[name])
		} else {
			out = append(out, operation{"add", at, after[name]})
		}
	}
	return out
}
