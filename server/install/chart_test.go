// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/install"
)

// chart is where the Helm chart is.
const chart = "../../charts/stoa"

// TestChart renders the chart, whose objects must be those of stoa install, but for the
// namespace, which helm makes.
func TestChart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values map[string]any
		change func(*install.Options)
	}{
		"as it comes": {nil, func(*install.Options) {}},
		"all values": {
			map[string]any{"image": "registry.example.com/stoa:1", "replicas": 3, "etcdServers": "https://a:2379,https://b:2379", "port": 8443},
			func(o *install.Options) {
				o.Image, o.Replicas, o.Port = "registry.example.com/stoa:1", 3, 8443
				o.EtcdServers = []string{"https://a:2379", "https://b:2379"}
			},
		},
		"a volume": {map[string]any{"storageSize": "10Gi"}, func(o *install.Options) { o.StorageSize = "10Gi" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.Namespace = "elsewhere"
			tc.change(&o)
			objects, err := o.Objects()
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			for _, obj := range objects[1:] {
				want[obj.GetKind()+" "+obj.GetName()] = normal(t, obj.Object)
			}
			got, err := render(t, o.Namespace, tc.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects (-install +chart):\n%s", diff)
			}
		})
	}
	_, err := render(t, "elsewhere", map[string]any{"replicas": 2})
	if err == nil || !strings.Contains(err.Error(), "replicas: more than one need etcdServers, which they share") {
		t.Errorf("two replicas with a volume: %v", err)
	}
}

func options(t *testing.T) install.Options {
	t.Helper()
	o := install.NewOptions()
	var err error
	if o.APIServices, err = server.AggregatedAPIs(); err != nil {
		t.Fatal(err)
	}
	return o
}

// render does what helm does with templates as simple as these.
func render(t *testing.T, namespace string, set map[string]any) (map[string]any, error) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(content, &values); err != nil {
		t.Fatal(err)
	}
	maps.Copy(values, set)
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	functions := template.FuncMap{
		"fail": func(text string) (string, error) { return "", errors.New(text) },
		"int": func(value any) int {
			if n, ok := value.(float64); ok { // as YAML is read
				return int(n)
			}
			return value.(int)
		},
	}
	out := map[string]any{}
	for _, file := range files {
		parsed, err := template.New(filepath.Base(file)).Funcs(functions).Option("missingkey=error").ParseFiles(file)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := parsed.Execute(&text, map[string]any{"Values": values, "Release": map[string]any{"Namespace": namespace}}); err != nil {
			return nil, err
		}
		for document := range strings.SplitSeq(text.String(), "---\n") {
			obj := map[string]any{}
			if err := yaml.UnmarshalStrict([]byte(document), &obj); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if len(obj) > 0 {
				out[obj["kind"].(string)+" "+obj["metadata"].(map[string]any)["name"].(string)] = normal(t, obj)
			}
		}
	}
	return out, nil
}

// normal has the same numbers whoever read them.
func normal(t *testing.T, obj map[string]any) map[string]any {
	t.Helper()
	content, err := yaml.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := yaml.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	return runtime.DeepCopyJSON(out)
}

// TestValidate reports what cannot be installed.
func TestValidate(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*install.Options){
		"": func(*install.Options) {},
		"--external-name and --endpoint: only one may be set":                              func(o *install.Options) { o.ExternalName, o.Endpoint = "a", "10.0.0.1:1" },
		"--replicas: more than one need --etcd-servers, which they share":                  func(o *install.Options) { o.Replicas = 2 },
		"--replicas must be at least 1":                                                    func(o *install.Options) { o.Replicas = 0 },
		"--image must be set":                                                              func(o *install.Options) { o.Image = "" },
		"--user: pods are the service account, it is for --external-name and --endpoint":   func(o *install.Options) { o.User = "jane" },
		`--endpoint "localhost:1" must be an IP address and a port, such as 10.0.0.5:6443`: func(o *install.Options) { o.Endpoint = "localhost:1" },
		"--port: must be between 1 and 65535, inclusive":                                   func(o *install.Options) { o.Port = 0 },
		`--endpoint "127.0.0.1:1" must not be a loopback or link-local address, which endpoints may not have: use --external-name localhost`: func(o *install.Options) { o.Endpoint = "127.0.0.1:1" },
	} {
		o := options(t)
		change(&o)
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
