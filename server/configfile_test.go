// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
)

func testFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.Int("port", 1, "")
	flags.String("name", "", "")
	flags.Bool("on", false, "")
	flags.Float64("chance", 0, "")
	flags.StringSlice("servers", nil, "")
	gates := cliflag.ConfigurationMap{}
	flags.Var(&gates, "gates", "")
	flags.String("config", "", "")
	return flags
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: server.stoa.dev/v1alpha1\nkind: ServerConfiguration\n"
	for _, tc := range []struct {
		name, file string
		args       []string
		want       map[string]string // flags after loading
		err        string            // without the path of the file
		list       bool              // err is the last of several
	}{
		{name: "nothing", file: head, want: map[string]string{"port": "1"}},
		{name: "every type", file: head + "port: 7443\nname: a,b\n\"on\": true\nchance: 0.015\nservers: [x, z]\ngates: {A: true, B: x}\n",
			want: map[string]string{"port": "7443", "name": "a,b", "on": "true", "chance": "0.015", "servers": "[x,z]", "gates": "A=true,B=x"}},
		{name: "large number", file: head + "port: 8589934592\n", want: map[string]string{"port": "8589934592"}},
		{name: "command line wins", file: head + "port: 2\nname: file\n", args: []string{"--port=3"},
			want: map[string]string{"port": "3", "name": "file"}},
		{name: "unknown", file: head + "prot: 2\n", err: "prot: unknown option"},
		{name: "config in config", file: head + "config: x\n", err: "config: unknown option"},
		{name: "two mistakes", file: head + "a: 1\nb: 1\n", err: "b: unknown option", list: true},
		{name: "wrong type", file: head + "port: many\n", err: `port: strconv.ParseInt: parsing "many": invalid syntax`},
		{name: "empty value", file: head + "port:\n", err: "port: must have a value"},
		{name: "nested map", file: head + "gates: {D: [1, 2]}\n", err: "gates: D: must be a single value"},
		{name: "map in a map", file: head + "gates: {A: {B: c}}\n", err: "gates: A: must be a single value"},
		{name: "two documents", file: head + "port: 1\n---\nport: 2\n", err: "must hold one document"},
		{name: "one document with a separator", file: "---\n" + head + "port: 4\n", want: map[string]string{"port": "4"}},
		{name: "duplicate", file: head + "port: 1\nport: 2\n",
			err: "error converting YAML to JSON: yaml: unmarshal errors: line 4: key \"port\" already set in map"},
		{name: "no YAML", file: "{", err: "error converting YAML to JSON: yaml: line 1: did not find expected node content"},
		{name: "another kind", file: "apiVersion: v1\nkind: Pod\n",
			err: "apiVersion and kind must be server.stoa.dev/v1alpha1 and ServerConfiguration"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			flags := testFlags()
			if err := flags.Parse(tc.args); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := LoadConfig(path, flags); err != nil {
				got = err.Error()
			}
			want := ""
			switch head := "--config " + path + ": "; {
			case tc.list:
				want = "[" + head + "a: unknown option, " + head + tc.err + "]"
			case tc.err != "":
				want = head + tc.err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			for name, value := range tc.want {
				if got := flags.Lookup(name).Value.String(); got != value {
					t.Errorf("--%s is %s, want %s", name, got, value)
				}
			}
		})
	}
}

func TestLoadConfigMissingFile(t *testing.T) {
	t.Parallel()
	err := LoadConfig("/nonexistent/config.yaml", testFlags())
	if err == nil || err.Error() != "--config: open /nonexistent/config.yaml: no such file or directory" {
		t.Errorf("got %v", err)
	}
}
