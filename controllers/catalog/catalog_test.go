// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/controllers/catalog"
)

const resource = `{"resource":%q,"responseKind":{"kind":%q},"scope":%q,"verbs":["get","list"]}`

func group(name string, versions ...string) string {
	list := ""
	for i, v := range versions {
		if i > 0 {
			list += ","
		}
		list += v
	}
	return fmt.Sprintf(`{"metadata":{"name":%q},"versions":[%s]}`, name, list)
}

func version(name, freshness, resources string) string {
	return fmt.Sprintf(`{"version":%q,"freshness":%q,"resources":[%s]}`, name, freshness, resources)
}

// discovery answers with documents that carry the text as their ETag.
type discovery struct {
	core, rest atomic.Value // of strings; empty: 404
	full       atomic.Int32
}

func (d *discovery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := map[string]*atomic.Value{"/api": &d.core, "/apis": &d.rest}[r.URL.Path].Load().(string)
	tag := fmt.Sprintf("%q", fmt.Sprint(len(text)))
	switch {
	case text == "":
		http.NotFound(w, r)
	case text == "broken":
		w.WriteHeader(http.StatusInternalServerError)
	case r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		d.full.Add(1)
		w.Header().Set("ETag", tag)
		_, _ = fmt.Fprintf(w, `{"items":[%s]}`, text)
	}
}

// The catalog has resources once, in the version that comes first, finds kinds in all
// versions, and reads a document again only when it has changed.
func TestCatalog(t *testing.T) {
	t.Parallel()
	var answers discovery
	server := httptest.NewServer(&answers)
	defer server.Close()
	served, err := catalog.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	things, nodes := fmt.Sprintf(resource, "things", "Thing", "Namespaced"), fmt.Sprintf(resource, "nodes", "Node", "Cluster")
	answers.rest.Store(group("a.example.com", version("v2", "Current", things), version("v1", "Current", things+","+nodes)))
	list := get(t, served)
	want := []string{"a.example.com/v2, Resource=things namespaced=true list=true watch=false", "a.example.com/v1, Resource=nodes namespaced=false list=true watch=false"}
	if diff := cmp.Diff(want, lines(list)); diff != "" || list.Err() != nil {
		t.Errorf("resources (-want +got), %v:\n%s", list.Err(), diff)
	}
	for asked, want := range map[schema.GroupVersionKind]string{
		{Group: "a.example.com", Version: "v1", Kind: "Thing"}: "v1",
		{Group: "a.example.com", Version: "v2", Kind: "Thing"}: "v2",
		{Group: "a.example.com", Version: "v0", Kind: "Thing"}: "v2",
		{Group: "a.example.com", Version: "v1", Kind: "Node"}:  "v1",
		{Group: "b.example.com", Version: "v1", Kind: "Node"}:  "",
		{Group: "a.example.com", Version: "v1", Kind: "Other"}: "",
	} {
		if got, ok := list.Kind(asked.GroupVersion(), asked.Kind); got.Version != want || ok != (want != "") {
			t.Errorf("%s: %v, want version %q", asked, got, want)
		}
	}
	if again := get(t, served); again != list || answers.full.Load() != 1 {
		t.Errorf("nothing has changed, and %d documents were read", answers.full.Load())
	}

	answers.core.Store(group("", version("v1", "Current", nodes)))
	answers.rest.Store(group("a.example.com", version("v1", "Stale", "")))
	list = get(t, served)
	if diff := cmp.Diff([]string{"/v1, Resource=nodes namespaced=false list=true watch=false"}, lines(list)); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	const failed = "unable to retrieve the complete list of server APIs: a.example.com/v1: stale GroupVersion discovery: a.example.com/v1"
	if err := list.Err(); err == nil || err.Error() != failed || !list.Failed("a.example.com") || list.Failed("") {
		t.Errorf("error %v, want %s", err, failed)
	}

	before := answers.rest.Load()
	answers.core.Store(group("", version("v1", "Current", things+","+nodes)))
	answers.rest.Store("broken")
	if _, err := served.Get(t.Context()); err == nil || err.Error() != "discovery: /apis answered 500 Internal Server Error" {
		t.Errorf("error %v", err)
	}
	answers.rest.Store(before)
	if _, ok := get(t, served).Resource(schema.GroupResource{Resource: "things"}); !ok {
		t.Error("what changed while another document could not be read is lost")
	}
	answers.rest.Store("")
	if list = get(t, served); list.Err() != nil || len(list.Resources) != 2 {
		t.Errorf("without the other groups: %v, %v", list.Resources, list.Err())
	}
}

func get(t *testing.T, c *catalog.Catalog) *catalog.List {
	t.Helper()
	list, err := c.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func lines(list *catalog.List) []string {
	var out []string
	for _, r := range list.Resources {
		out = append(out, fmt.Sprintf("%v namespaced=%t list=%t watch=%t", r.GroupVersionResource, r.Namespaced, r.Can("list", "get"), r.Can("get", "watch")))
	}
	return out
}
