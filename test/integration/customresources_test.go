// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/stoatest"
)

const widgets = `
metadata: {name: widgets.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    selectableFields: [{jsonPath: .spec.color}]
    additionalPrinterColumns:
    - {name: Color, type: string, jsonPath: .spec.color}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [color]
            x-kubernetes-validations:
            - {rule: self.replicas < 5, message: a widget has at most four replicas}
            properties:
              color: {type: string, description: What it looks like}
              replicas: {type: integer, default: 2}
          status: {type: object, properties: {replicas: {type: integer}}}
`

// define makes a definition in a group of its own and waits until it is established.
func define(t *testing.T, text string) schema.GroupVersionResource {
	t.Helper()
	return defineOn(t, api, unique(t)+".example.com", text)
}

// defineOn is define on another server than the shared one, in a group with a name.
func defineOn(t *testing.T, server *stoatest.Server, group, text string) schema.GroupVersionResource {
	t.Helper()
	var crd apiextensions.CustomResourceDefinition
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(text, "GROUP", group)), &crd); err != nil {
		t.Fatal(err)
	}
	client, err := crdclient.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	if _, err := definitions.Create(t.Context(), &crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		now, err := definitions.Get(t.Context(), crd.Name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		for _, c := range now.Status.Conditions {
			if c.Type == apiextensions.Established && c.Status == apiextensions.ConditionTrue {
				return ""
			}
		}
		return crd.Name + " is not established"
	})
	return schema.GroupVersionResource{Group: group, Version: crd.Spec.Versions[0].Name, Resource: crd.Spec.Names.Plural}
}

func dynamicClient(t *testing.T) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// custom is an object of a definition.
func custom(resource schema.GroupVersionResource, kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resource.GroupVersion().String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
}

// TestCustomResource goes through what a definition gives: defaults, rules, columns,
// selectors, subresources, documents, informers.
func TestCustomResource(t *testing.T) {
	t.Parallel()
	began := time.Now()
	resource := define(t, widgets)
	objects := dynamicClient(t).Resource(resource).Namespace("default")
	created, err := objects.Create(t.Context(), custom(resource, "Widget", "a", map[string]any{"color": "red"}), metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("first object: %v", err)
	}
	// Upstream holds the first object up for two seconds, for other servers to see the definition.
	if took := time.Since(began); took >= 2*time.Second {
		t.Errorf("from definition to first object: %s", took)
	}
	if replicas, _, _ := unstructured.NestedInt64(created.Object, "spec", "replicas"); replicas != 2 {
		t.Errorf("defaulted object: %v", created)
	}
	stored := fetch(t, "/registry/"+resource.Group+"/widgets/default/a")
	if want := `{"apiVersion":"` + resource.GroupVersion().String(); len(stored) != 1 || !strings.HasPrefix(string(stored[0]), want) {
		t.Errorf("stored: %s, want %s", stored, want)
	}
	if stored := fetch(t, "/registry/apiextensions.k8s.io/customresourcedefinitions/widgets."+resource.Group); len(stored) != 1 ||
		!strings.Contains(string(stored[0]), `"apiextensions.k8s.io/v1beta1"`) {
		t.Errorf("stored definition: %s", stored)
	}
	if _, err := objects.Create(t.Context(), custom(resource, "Widget", "b", map[string]any{"color": "blue", "replicas": int64(5)}), metav1.CreateOptions{}); !apierrors.IsInvalid(err) ||
		!strings.HasSuffix(err.Error(), "a widget has at most four replicas") {
		t.Errorf("rule: %v", err)
	}
	t.Run("columns", func(t *testing.T) { testColumns(t, resource) })
	t.Run("selectors", func(t *testing.T) { testSelectors(t, objects) })
	t.Run("subresources", func(t *testing.T) { testSubresources(t, objects) })
	t.Run("documents", func(t *testing.T) { testDocuments(t, resource) })
	t.Run("informer", func(t *testing.T) { testInformer(t, resource) })
	t.Run("deletion", func(t *testing.T) { testDeletion(t, resource) })
}

// fetch reads what is stored below a key.
func fetch(t *testing.T, key string) [][]byte {
	t.Helper()
	found, err := api.Etcd().Get(t.Context(), key, clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, kv := range found.Kvs {
		out = append(out, kv.Value)
	}
	return out
}

func testColumns(t *testing.T, resource schema.GroupVersionResource) {
	t.Helper()
	got := do(t, request{
		path:   "/apis/" + resource.GroupVersion().String() + "/namespaces/default/widgets/a",
		header: map[string]string{"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
	})
	var table metav1.Table
	if err := json.Unmarshal(got.body, &table); err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, c := range table.ColumnDefinitions {
		columns = append(columns, c.Name)
	}
	if diff := cmp.Diff([]string{"Name", "Color", "Replicas"}, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"a", "red", float64(2)}, table.Rows[0].Cells); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

func testSelectors(t *testing.T, objects dynamic.ResourceInterface) {
	t.Helper()
	for selector, want := range map[string]int{"spec.color=red": 1, "spec.color=blue": 0} {
		list, err := objects.List(t.Context(), metav1.ListOptions{FieldSelector: selector})
		if err != nil || len(list.Items) != want {
			t.Errorf("%s: %v, %v, want %d", selector, list, err, want)
		}
	}
	if _, err := objects.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.replicas=2"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a field that is not selectable: %v", err)
	}
}

func testSubresources(t *testing.T, objects dynamic.ResourceInterface) {
	t.Helper()
	scaled, err := objects.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"spec":{"replicas":3}}`), metav1.PatchOptions{}, "scale")
	if err != nil || scaled.GetKind() != "Scale" {
		t.Errorf("scale: %v, %v", scaled, err)
	}
	status := `{"spec":{"replicas":4},"status":{"replicas":3}}`
	after, err := objects.Patch(t.Context(), "a", types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"spec": map[string]any{"color": "red", "replicas": int64(3)}, "status": map[string]any{"replicas": int64(3)}}
	got := map[string]any{"spec": after.Object["spec"], "status": after.Object["status"]}
	if diff := cmp.Diff(want, got); diff != "" || after.GetGeneration() != 2 {
		t.Errorf("generation %d (-want +got):\n%s", after.GetGeneration(), diff)
	}
}

// testDocuments looks for the definition in every place where clients look.
func testDocuments(t *testing.T, resource schema.GroupVersionResource) {
	t.Helper()
	eventually(t, func() string {
		name := "v1." + resource.Group
		if got := do(t, request{path: "/apis/apiregistration.k8s.io/v1/apiservices/" + name}); got.code != http.StatusOK {
			return "no APIService " + name
		}
		for _, header := range []string{"", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"} {
			if got := do(t, request{path: "/apis", header: map[string]string{"Accept": header}}); !strings.Contains(string(got.body), resource.Group) {
				return "discovery as " + header + " has no " + resource.Group
			}
		}
		return ""
	})
	root := do(t, request{path: "/openapi/v3"})
	var listed struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(root.body, &listed); err != nil {
		t.Fatal(err)
	}
	at := listed.Paths["apis/"+resource.GroupVersion().String()].URL
	for _, path := range []string{at, "/openapi/v2"} {
		got := do(t, request{path: path})
		if got.code != http.StatusOK || !strings.Contains(string(got.body), "What it looks like") {
			t.Errorf("%s: %d without the definition", path, got.code)
		}
		again := do(t, request{path: path, header: map[string]string{"If-None-Match": got.header.Get("Etag")}})
		if again.code != http.StatusNotModified {
			t.Errorf("%s: %d for who has it, want 304", path, again.code)
		}
	}
}

func testInformer(t *testing.T, resource schema.GroupVersionResource) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	factory := dynamicinformer.NewDynamicSharedInformerFactory(dynamicClient(t), 0)
	informer := factory.ForResource(resource).Informer()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) || len(informer.GetStore().ListKeys()) != 1 {
		t.Errorf("informer has %v", informer.GetStore().ListKeys())
	}
}

// testDeletion removes the definition, and with it its objects and every trace.
func testDeletion(t *testing.T, resource schema.GroupVersionResource) {
	t.Helper()
	client, err := crdclient.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ApiextensionsV1().CustomResourceDefinitions().Delete(t.Context(), "widgets."+resource.Group, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		switch {
		case len(fetch(t, "/registry/"+resource.Group+"/")) > 0:
			return "the objects are still stored"
		case do(t, request{path: "/apis/" + resource.GroupVersion().String()}).code != http.StatusNotFound:
			return "the version is still served"
		case strings.Contains(string(do(t, request{path: "/openapi/v3"}).body), resource.Group):
			return "the version still has a document"
		case do(t, request{path: "/apis/apiregistration.k8s.io/v1/apiservices/v1." + resource.Group}).code != http.StatusNotFound:
			return "the APIService is still there"
		}
		return ""
	})
}

// TestReadWhileIdle reads one resource after the cache of another has begun and
// before anything is written: nothing must wait for the next write.
func TestReadWhileIdle(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	client, err := crdclient.NewForConfig(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensions.CustomResourceDefinition
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(widgets, "GROUP", "idle.example.com")), &crd); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(t.Context(), &crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The version is listed when everything about the definition has been written.
	for path, body := range map[string]string{"/apis": "idle.example.com", "/apis/apiregistration.k8s.io/v1/apiservices": "v1.idle.example.com"} {
		eventually(t, func() string {
			if got := do(t, request{path: path, config: server.Config()}); !strings.Contains(string(got.body), body) {
				return path + " has no " + body
			}
			return ""
		})
	}
	for _, path := range []string{"/apis/idle.example.com/v1/widgets", "/api/v1/secrets", "/api/v1/configmaps", "/api/v1/namespaces"} {
		began := time.Now()
		eventually(t, func() string { // a new cache has clients ask again
			if got := do(t, request{path: path, config: server.Config()}); got.code != http.StatusOK {
				return fmt.Sprintf("%s: %d %s", path, got.code, got.body)
			}
			return ""
		})
		if took := time.Since(began); took > 2500*time.Millisecond { // the wait ends in an error after 3 s
			t.Errorf("%s took %s", path, took)
		}
	}
}

const gadgets = `
metadata: {name: gadgets.GROUP}
spec:
  group: GROUP
  scope: Cluster
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {url: "URL", caBundle: "CA"}}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - {name: v2, served: true, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

// TestConversionWebhook stores version 1 and serves version 2 through a webhook.
func TestConversionWebhook(t *testing.T) {
	t.Parallel()
	webhook := httptest.NewTLSServer(http.HandlerFunc(convertGadgets))
	t.Cleanup(webhook.Close)
	ca, err := json.Marshal(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: webhook.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	v1 := define(t, strings.NewReplacer(`"URL"`, webhook.URL, `"CA"`, string(ca)).Replace(gadgets))
	v2 := v1.GroupResource().WithVersion("v2")
	client := dynamicClient(t)
	if _, err := client.Resource(v1).Create(t.Context(), custom(v1, "Gadget", "a", map[string]any{"size": "large"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Resource(v2).Create(t.Context(), custom(v2, "Gadget", "b", map[string]any{"dimension": "small"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, in := range []struct {
		resource    schema.GroupVersionResource
		name, field string
		want        string
	}{{v1, "a", "size", "large"}, {v2, "a", "dimension", "large"}, {v1, "b", "size", "small"}, {v2, "b", "dimension", "small"}} {
		got, err := client.Resource(in.resource).Get(t.Context(), in.name, metav1.GetOptions{})
		if err != nil {
			t.Errorf("%s of %s: %v", in.resource.Version, in.name, err)
			continue
		}
		if value, _, _ := unstructured.NestedString(got.Object, "spec", in.field); value != in.want {
			t.Errorf("%s of %s: %v, want %s", in.resource.Version, in.name, got.Object, in.want)
		}
	}
}

// convertGadgets is a webhook that renames a field.
func convertGadgets(w http.ResponseWriter, r *http.Request) {
	var review apiextensions.ConversionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	from, to := "size", "dimension"
	if strings.HasSuffix(review.Request.DesiredAPIVersion, "/v1") {
		from, to = to, from
	}
	response := &apiextensions.ConversionResponse{UID: review.Request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
	for _, raw := range review.Request.Objects {
		var obj unstructured.Unstructured
		if err := json.Unmarshal(raw.Raw, &obj.Object); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		obj.SetAPIVersion(review.Request.DesiredAPIVersion)
		if value, ok, _ := unstructured.NestedString(obj.Object, "spec", from); ok {
			obj.Object["spec"] = map[string]any{to: value}
		}
		response.ConvertedObjects = append(response.ConvertedObjects, runtime.RawExtension{Object: &obj})
	}
	review.Request, review.Response = nil, response
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		panic(err) // the client then fails
	}
}
