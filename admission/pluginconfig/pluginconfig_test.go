// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pluginconfig_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/admission/pluginconfig"
)

type config struct {
	metav1.TypeMeta `json:",inline"`

	Size int `json:"size"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	kind := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Configuration"}
	const head = "apiVersion: example.com/v1\nkind: Configuration\n"
	for name, tc := range map[string]struct {
		config io.Reader
		want   int
		err    string
	}{
		"none":           {want: 7},
		"YAML":           {config: strings.NewReader(head + "size: 1"), want: 1},
		"JSON":           {config: strings.NewReader(`{"apiVersion": "example.com/v1", "kind": "Configuration", "size": 2}`), want: 2},
		"another kind":   {config: strings.NewReader("apiVersion: example.com/v1\nkind: Other"), want: 7, err: `configuration: apiVersion must be "example.com/v1" and kind "Configuration", not "example.com/v1" and "Other"`},
		"empty":          {config: strings.NewReader(""), want: 7, err: `configuration: apiVersion must be "example.com/v1" and kind "Configuration", not "" and ""`},
		"unknown field":  {config: strings.NewReader(head + "seize: 1"), want: 7, err: `configuration: error unmarshaling JSON: while decoding JSON: json: unknown field "seize"`},
		"not YAML":       {config: strings.NewReader("a: b: c"), want: 7, err: "configuration: error converting YAML to JSON: yaml: mapping values are not allowed in this context"},
		"cannot be read": {config: iotest.ErrReader(errors.New("gone")), want: 7, err: "read configuration: gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := config{Size: 7}
			check(t, pluginconfig.Decode(tc.config, kind, &got), tc.err)
			if got.Size != tc.want {
				t.Errorf("size %d, want %d", got.Size, tc.want)
			}
		})
	}
}

func TestSection(t *testing.T) {
	t.Parallel()
	type part struct {
		Name string `json:"name"`
		Size int64  `json:"size"`
	}
	for name, tc := range map[string]struct {
		config io.Reader
		want   part
		err    string
	}{
		"none":               {},
		"another's":          {config: strings.NewReader("other: {name: x}")},
		"beside another's":   {config: strings.NewReader("mine: {name: x, size: 1800}\nother: {}"), want: part{"x", 1800}},
		"JSON":               {config: strings.NewReader(`{"mine": {"name": "x"}}`), want: part{Name: "x"}},
		"unknown field":      {config: strings.NewReader("mine: {nam: x}"), err: `configuration: mine: error unmarshaling JSON: while decoding JSON: json: unknown field "nam"`},
		"a list of sections": {config: strings.NewReader("[]"), err: "configuration: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]json.RawMessage"},
		"cannot be read":     {config: iotest.ErrReader(errors.New("gone")), err: "read configuration: gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got part
			check(t, pluginconfig.Section(tc.config, "mine", &got), tc.err)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("section (-want +got):\n%s", diff)
			}
		})
	}
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}
