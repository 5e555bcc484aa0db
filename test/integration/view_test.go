// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const (
	asTable   = "application/json;as=Table;v=v1;g=meta.k8s.io"
	asPartial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
	protobuf  = "application/vnd.kubernetes.protobuf"
)

func accept(mediaType string) map[string]string { return map[string]string{"Accept": mediaType} }

// TestTable reads tables: one row, many rows, rows of a watch, pages of rows.
func TestTable(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	path := "/api/v1/namespaces/" + namespace + "/configmaps"
	client := coreClient(t).CoreV1().ConfigMaps(namespace)
	first := createConfigMap(t, client, "a", "1")
	createConfigMap(t, client, "b", "1")
	table := func(query string) metav1.Table {
		t.Helper()
		var out metav1.Table
		got := do(t, request{path: path + query, header: accept(asTable)})
		if err := json.Unmarshal(got.body, &out); err != nil || out.Kind != "Table" || out.APIVersion != "meta.k8s.io/v1" {
			t.Fatalf("%s: %d %s", query, got.code, got.body)
		}
		return out
	}
	cells := func(table metav1.Table) []string {
		var out []string
		for _, row := range table.Rows {
			out = append(out, fmt.Sprint(row.Cells[:2]...))
		}
		return out
	}
	for _, tc := range []struct {
		query   string
		want    []string
		columns int
		object  string
	}{
		{query: "", want: []string{"a1", "b1"}, columns: 3, object: "PartialObjectMetadata"},
		{query: "/a", want: []string{"a1"}, columns: 3, object: "PartialObjectMetadata"},
		{query: "?limit=1", want: []string{"a1"}, columns: 3, object: "PartialObjectMetadata"},
		{query: "?includeObject=None", want: []string{"a1", "b1"}, columns: 3},
		{query: "?includeObject=Object", want: []string{"a1", "b1"}, columns: 3, object: "ConfigMap"},
		{query: "?fieldSelector=metadata.name%3Dnone", columns: 3},
	} {
		got := table(tc.query)
		if diff := cmp.Diff(tc.want, cells(got)); diff != "" {
			t.Errorf("%s: cells (-want +got):\n%s", tc.query, diff)
		}
		if len(got.ColumnDefinitions) != tc.columns || got.ResourceVersion == "" {
			t.Errorf("%s: %d columns, resourceVersion %q", tc.query, len(got.ColumnDefinitions), got.ResourceVersion)
		}
		if strings.Contains(tc.query, "limit=1") && (got.Continue == "" || got.RemainingItemCount == nil) {
			t.Errorf("%s: continue %q, remaining %v", tc.query, got.Continue, got.RemainingItemCount)
		}
		for _, row := range got.Rows {
			var object metav1.TypeMeta
			if len(row.Object.Raw) > 0 {
				if err := json.Unmarshal(row.Object.Raw, &object); err != nil {
					t.Error(err)
				}
			}
			if object.Kind != tc.object {
				t.Errorf("%s: object of a row is a %q, want %q", tc.query, object.Kind, tc.object)
			}
		}
	}
	got := do(t, request{path: path + "?watch=1&timeoutSeconds=1&resourceVersion=" + first.ResourceVersion, header: accept(asTable)})
	var event struct {
		Type   string
		Object metav1.Table
	}
	if err := json.NewDecoder(bytes.NewReader(got.body)).Decode(&event); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	if event.Type != "ADDED" || cmp.Diff([]string{"b1"}, cells(event.Object)) != "" || len(event.Object.ColumnDefinitions) != 3 {
		t.Errorf("first event is %+v", event)
	}
}

// TestPartialObjectMetadata reads metadata alone of kinds with and without protobuf.
func TestPartialObjectMetadata(t *testing.T) {
	t.Parallel()
	name := unique(t)
	if _, err := applyTenant(t, "v1", name, "me", `{"displayName":"a"}`, false); err != nil {
		t.Fatal(err)
	}
	createConfigMap(t, coreClient(t).CoreV1().ConfigMaps("default"), name, "1")
	client, err := metadata.NewForConfig(api.Config()) // asks for protobuf
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range []metadata.ResourceInterface{
		client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("default"),
		client.Resource(schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1", Resource: "tenants"}),
		client.Resource(schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1alpha1", Resource: "tenants"}),
	} {
		options := metav1.ListOptions{FieldSelector: "metadata.name=" + name}
		got, err := resource.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || got.Name != name || got.UID == "" {
			t.Errorf("get: %+v, %v", got, err)
		}
		list, err := resource.List(t.Context(), options)
		if err != nil || len(list.Items) != 1 || list.Items[0].Name != name || list.ResourceVersion == "" {
			t.Errorf("list: %+v, %v", list, err)
		}
		w, err := resource.Watch(t.Context(), options)
		if err != nil {
			t.Errorf("watch: %v", err)
			continue
		}
		if event := <-w.ResultChan(); event.Object.(*metav1.PartialObjectMetadata).Name != name {
			t.Errorf("event is %+v", event)
		}
		w.Stop()
	}
	got := do(t, request{path: tenants + "/" + name, header: accept(asPartial)}).object(t)
	if got["kind"] != "PartialObjectMetadata" || got["spec"] != nil {
		t.Errorf("partial is %v", got)
	}
}

// TestMediaTypes asks for the same thing in every encoding.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	name := unique(t)
	if _, err := applyTenant(t, "v1", name, "me", `{"displayName":"a"}`, false); err != nil {
		t.Fatal(err)
	}
	const (
		only = "only the following media types are accepted: application/json, application/yaml"
		none = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml"
	)
	for _, tc := range []struct {
		path, accept string
		code         int
		mediaType    string
		message      string
	}{
		{path: "/api/v1/namespaces/default", accept: "", code: 200, mediaType: "application/json"},
		{path: "/api/v1/namespaces/default", accept: "*/*", code: 200, mediaType: "application/json"},
		{path: "/api/v1/namespaces/default", accept: "text/html, application/yaml;q=0.9", code: 200, mediaType: "application/yaml"},
		{path: "/api/v1/namespaces/default", accept: protobuf, code: 200, mediaType: protobuf},
		{path: "/api/v1/namespaces/default", accept: protobuf + ",application/json", code: 200, mediaType: protobuf},
		{path: "/api/v1/namespaces/default", accept: "text/html", code: 406, message: none + ", application/vnd.kubernetes.protobuf"},
		{path: "/api/v1/namespaces", accept: "application/json;as=Nothing;v=v1;g=meta.k8s.io", code: 406, message: only + ", application/vnd.kubernetes.protobuf"},
		{path: tenants + "/" + name, accept: "application/yaml", code: 200, mediaType: "application/yaml"},
		{path: tenants + "/" + name, accept: protobuf + ",application/json", code: 200, mediaType: "application/json"},
		{path: tenants + "/" + name, accept: protobuf, code: 406},
		{path: tenants, accept: protobuf, code: 406},
	} {
		got := do(t, request{path: tc.path, header: accept(tc.accept)})
		if got.code != tc.code || tc.mediaType != "" && got.header.Get("Content-Type") != tc.mediaType {
			t.Errorf("%s as %q: %d %s %.200q, want %d %s", tc.path, tc.accept, got.code, got.header.Get("Content-Type"), got.body, tc.code, tc.mediaType)
			continue
		}
		if tc.message != "" {
			if diff := cmp.Diff(tc.message, got.status(t).Message); diff != "" {
				t.Errorf("%s as %q: message (-want +got):\n%s", tc.path, tc.accept, diff)
			}
		}
	}
	// Bodies may be YAML too, and answers compressed.
	body, err := yaml.Marshal(map[string]any{"apiVersion": "tenancy.stoa.dev/v1", "kind": "Tenant", "metadata": map[string]any{"name": name + "-yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	got := do(t, request{method: "POST", path: tenants, body: body, header: map[string]string{"Content-Type": "application/yaml"}})
	if got.code != 201 || got.object(t)["kind"] != "Tenant" {
		t.Errorf("create from YAML: %d %s", got.code, got.body)
	}
}

// TestProtobufClient does everything in protobuf, with a kind that has it.
func TestProtobufClient(t *testing.T) {
	t.Parallel()
	config := rest.CopyConfig(api.Config())
	config.ContentType, config.AcceptContentTypes = protobuf, protobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	secrets := client.CoreV1().Secrets(newNamespace(t))
	created, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Data: map[string][]byte{"raw": {0, 255}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := secrets.Watch(t.Context(), metav1.ListOptions{ResourceVersion: created.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	created.Data["more"] = []byte("x")
	updated, err := secrets.Update(t.Context(), created, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	event := <-w.ResultChan()
	if diff := cmp.Diff(updated, event.Object); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	list, err := secrets.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 || string(list.Items[0].Data["raw"]) != "\x00\xff" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := secrets.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}
