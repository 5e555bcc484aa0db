// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// golden compares a value with a file in testdata. Its form is YAML, which shows
// well what changed.
func golden(t *testing.T, name string, value any) {
	t.Helper()
	got, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is out of date; if the change is meant, run go test ./test/integration -update (-want +got):\n%s", path, diff)
	}
}

// TestDiscovery pins what the server says it serves.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	client, err := discovery.NewDiscoveryClientForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	groups, resources, err := client.ServerGroupsAndResources() // aggregated
	if err != nil {
		t.Fatal(err)
	}
	// Other tests define resources at the same time.
	groups = slices.DeleteFunc(groups, func(g *metav1.APIGroup) bool { return strings.HasSuffix(g.Name, ".example.com") })
	resources = slices.DeleteFunc(resources, func(r *metav1.APIResourceList) bool {
		return strings.Contains(r.GroupVersion, ".example.com/")
	})
	slices.SortFunc(resources, func(a, b *metav1.APIResourceList) int { return strings.Compare(a.GroupVersion, b.GroupVersion) })
	golden(t, "discovery.yaml", map[string]any{"groups": groups, "resources": resources})

	// Group by group, as old clients do, the same comes out.
	var single []*metav1.APIResourceList
	for _, list := range resources {
		path := "/apis/" + list.GroupVersion
		if list.GroupVersion == "v1" {
			path = "/api/v1"
		}
		var out metav1.APIResourceList
		got := do(t, request{path: path})
		if err := json.Unmarshal(got.body, &out); err != nil {
			t.Fatalf("%s: %d %s", path, got.code, got.body)
		}
		out.TypeMeta = list.TypeMeta
		for i := range out.APIResources {
			out.APIResources[i].StorageVersionHash = "" // not in aggregated discovery
			// Here only where they are not those of the list, there everywhere.
			out.APIResources[i].Group, out.APIResources[i].Version = "", ""
		}
		single = append(single, &out)
	}
	for _, list := range resources {
		for i := range list.APIResources {
			resource := &list.APIResources[i]
			resource.Group, resource.Version = "", ""
			if strings.Contains(resource.Name, "/") {
				resource.SingularName = "" // only in aggregated discovery
			}
		}
	}
	if diff := cmp.Diff(resources, single); diff != "" {
		t.Errorf("discovery group by group differs (-aggregated +single):\n%s", diff)
	}
}

// TestOpenAPI finds our kinds, described, in both versions of OpenAPI.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	type document struct {
		Definitions map[string]map[string]any
		Components  struct{ Schemas map[string]map[string]any }
		Paths       map[string]any
	}
	read := func(path string) document {
		t.Helper()
		var out document
		got := do(t, request{path: path})
		if err := json.Unmarshal(got.body, &out); err != nil || got.code != 200 {
			t.Fatalf("%s: %d %.300s (%v)", path, got.code, got.body, err)
		}
		return out
	}
	check := func(from string, schemas map[string]map[string]any, name, group, version, kind string) {
		t.Helper()
		schema, ok := schemas[name]
		if !ok {
			t.Errorf("%s has no %s", from, name)
			return
		}
		if description, _ := schema["description"].(string); description == "" {
			t.Errorf("%s: %s has no description", from, name)
		}
		want := []any{map[string]any{"group": group, "version": version, "kind": kind}}
		if diff := cmp.Diff(want, schema["x-kubernetes-group-version-kind"]); diff != "" {
			t.Errorf("%s: kinds of %s (-want +got):\n%s", from, name, diff)
		}
		for field, property := range schema["properties"].(map[string]any) {
			if description, _ := property.(map[string]any)["description"].(string); description == "" {
				t.Errorf("%s: %s.%s has no description", from, name, field)
			}
		}
	}
	all := read("/openapi/v2")
	core := read("/openapi/v3/api/v1")
	for _, kind := range []string{"ConfigMap", "Namespace", "Secret"} {
		check("v2", all.Definitions, "io.k8s.api.core.v1."+kind, "", "v1", kind)
		check("v3", core.Components.Schemas, "io.k8s.api.core.v1."+kind, "", "v1", kind)
	}
	for _, version := range []string{"v1", "v1alpha1"} {
		own := read("/openapi/v3/apis/tenancy.stoa.dev/" + version)
		for _, kind := range []string{"Tenant", "Grant"} {
			name := "dev.stoa.tenancy." + version + "." + kind
			check("v2", all.Definitions, name, "tenancy.stoa.dev", version, kind)
			check("v3", own.Components.Schemas, name, "tenancy.stoa.dev", version, kind)
		}
	}
	var paths []string
	for path := range all.Paths {
		paths = append(paths, path)
	}
	if len(paths) < 20 {
		t.Errorf("OpenAPI v2 has %d paths", len(paths))
	}
	index := do(t, request{path: "/openapi/v3"}).object(t)
	if _, ok := field("paths", "apis/tenancy.stoa.dev/v1")(index).(map[string]any); !ok {
		t.Errorf("index of OpenAPI v3 is %v", index)
	}
}

// TestVersionAndMetrics looks at what monitoring looks at.
func TestVersionAndMetrics(t *testing.T) {
	t.Parallel()
	version := do(t, request{path: "/version"}).object(t)
	if version["gitVersion"] != "v1.37.2" || version["major"] != "1" || version["minor"] != "37" {
		t.Errorf("version is %v", version)
	}
	metrics := string(do(t, request{path: "/metrics"}).body)
	for _, name := range []string{"apiserver_request_total", "apiserver_request_duration_seconds_bucket", "apiserver_watch_cache_events_received_total", "etcd_request_duration_seconds_bucket", "go_goroutines", "process_resident_memory_bytes", "kubernetes_build_info"} {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("metrics have no %s", name)
		}
	}
	ready := string(do(t, request{path: "/readyz?verbose"}).body)
	for _, line := range []string{"[+]ping ok", "[+]etcd ok", "[+]etcd-readiness ok", "[+]informer-sync ok", "readyz check passed"} {
		if !strings.Contains(ready, line) {
			t.Errorf("readyz does not say %q: %s", line, ready)
		}
	}
}
