// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kindtest

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// table compares the headings, and that every row has a cell for each.
func (k *tester) table(t *testing.T) {
	name := k.Name("kindtest-table")
	k.create(t, name)
	for _, path := range []string{k.path(), k.path() + "/" + name} {
		body, err := k.raw(t).Get().AbsPath(path).
			SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").Do(t.Context()).Raw()
		if err != nil {
			t.Fatalf("table of %s: %v", path, err)
		}
		var table metav1.Table
		if err := json.Unmarshal(body, &table); err != nil {
			t.Fatal(err)
		}
		var headings []string
		for _, column := range table.ColumnDefinitions {
			headings = append(headings, column.Name)
		}
		if diff := cmp.Diff(k.Columns, headings); diff != "" {
			t.Errorf("columns of %s (-want +got):\n%s", path, diff)
		}
		if len(table.Rows) == 0 || table.ResourceVersion == "" {
			t.Errorf("table of %s has %d rows and resourceVersion %q", path, len(table.Rows), table.ResourceVersion)
		}
		for _, row := range table.Rows {
			if len(row.Cells) != k.Cells || row.Object.Raw == nil {
				t.Errorf("row of %s has %d cells, want %d, and metadata %s", path, len(row.Cells), k.Cells, row.Object.Raw)
			}
		}
	}
	client, err := metadata.NewForConfig(k.Config)
	if err != nil {
		t.Fatal(err)
	}
	partial, err := client.Resource(k.Resource).Namespace(k.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil || partial.Name != name {
		t.Errorf("metadata alone: %v, %v", partial, err)
	}
}

// raw is a client that shows answers as they came.
func (k *tester) raw(t *testing.T) rest.Interface {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(k.Config)
	if err != nil {
		t.Fatal(err)
	}
	return client.RESTClient()
}

// path is the URL of the collection.
func (k *tester) path() string {
	path := "/apis/" + k.Resource.Group + "/" + k.Resource.Version
	if k.Resource.Group == "" {
		path = "/api/" + k.Resource.Version
	}
	if k.Namespace != "" {
		path += "/namespaces/" + k.Namespace
	}
	return path + "/" + k.Resource.Resource
}

// selectors lists and expects exactly the objects that match.
func (k *tester) selectors(t *testing.T) {
	name := k.Name("kindtest-selectors")
	obj := k.valid(t, name)
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["kindtest"] = "selectors"
	obj.SetLabels(labels)
	if _, err := k.client.Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	k.cleanup(t, name)
	cases := map[string]bool{"metadata.name=" + name: true, "metadata.name!=" + name: false, "metadata.name=other": false}
	maps.Copy(cases, k.Selectors)
	for selector, want := range cases {
		list, err := k.client.List(t.Context(), metav1.ListOptions{FieldSelector: selector, LabelSelector: "kindtest=selectors"})
		if err != nil {
			t.Errorf("list by %s: %v", selector, err)
			continue
		}
		if got := len(list.Items) == 1; got != want {
			t.Errorf("list by %s returned %d objects, match must be %t", selector, len(list.Items), want)
		}
	}
	if _, err := k.client.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.kindtest=x"}); err == nil {
		t.Error("list by an unknown field succeeded")
	}
}

// discovery shows the names of the kind.
func (k *tester) discovery(t *testing.T) {
	config := rest.CopyConfig(k.Config)
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := client.ServerResourcesForGroupVersion(k.Resource.GroupVersion().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources.APIResources {
		if r.Name != k.Resource.Resource {
			continue
		}
		if diff := cmp.Diff(k.ShortNames, r.ShortNames); diff != "" {
			t.Errorf("short names (-want +got):\n%s", diff)
		}
		if r.SingularName == "" || r.Namespaced != (k.Namespace != "") || r.StorageVersionHash == "" {
			t.Errorf("discovery of %s is %+v", r.Name, r)
		}
		return
	}
	t.Errorf("discovery lists no %s", k.Resource.Resource)
}
