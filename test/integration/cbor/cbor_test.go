// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package cbor tests a server with the feature gate CBORServingAndStorage. It is a
// package of its own because feature gates belong to the whole process.
package cbor

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	clientfeatures "k8s.io/client-go/features"
	clientfeaturestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

const mediaType = "application/cbor"

// TestCBOR does everything in CBOR, with kinds that have protobuf and that do not.
func TestCBOR(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("integration tests are skipped under -short")
	}
	clientfeaturestesting.SetFeatureDuringTest(t, clientfeatures.ClientsAllowCBOR, true)
	clientfeaturestesting.SetFeatureDuringTest(t, clientfeatures.ClientsPreferCBOR, true)
	server := stoatest.Start(t, stoatest.WithFlags("--controllers=-*", "--feature-gates=CBORServingAndStorage=true"))
	config := server.Config()
	seen := map[string]bool{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil {
				seen[r.Method+" "+response.Header.Get("Content-Type")] = true
			}
			return response, err
		})
	})
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		resource schema.GroupVersionResource
		object   map[string]any
		change   []string
	}{
		{
			resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"},
			object: map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a", "namespace": "default"},
				"data": map[string]any{"value": "1"},
			},
			change: []string{"data", "value"},
		},
		{
			resource: schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1", Resource: "tenants"},
			object: map[string]any{
				"apiVersion": "tenancy.stoa.dev/v1", "kind": "Tenant", "metadata": map[string]any{"name": "a"},
				"spec": map[string]any{"displayName": "1", "quota": map[string]any{"hard": map[string]any{"pods": "5"}}},
			},
			change: []string{"spec", "displayName"},
		},
	} {
		t.Run(tc.resource.Resource, func(t *testing.T) {
			object := &unstructured.Unstructured{Object: tc.object}
			var resource dynamic.ResourceInterface = client.Resource(tc.resource)
			if object.GetNamespace() != "" {
				resource = client.Resource(tc.resource).Namespace(object.GetNamespace())
			}
			created, err := resource.Create(t.Context(), object, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w, err := resource.Watch(t.Context(), metav1.ListOptions{ResourceVersion: created.GetResourceVersion()})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			changed := created.DeepCopy()
			if err := unstructured.SetNestedField(changed.Object, "2", tc.change...); err != nil {
				t.Fatal(err)
			}
			updated, err := resource.Update(t.Context(), changed, metav1.UpdateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			event := <-w.ResultChan()
			if diff := cmp.Diff(updated, event.Object); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			list, err := resource.List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Items) != 1 || cmp.Diff(updated.Object, list.Items[0].Object) != "" {
				t.Errorf("list is %+v", list)
			}
			applied := object.DeepCopy()
			applied.SetManagedFields(nil)
			if _, err := resource.Apply(t.Context(), "a", applied, metav1.ApplyOptions{FieldManager: "me", Force: true}); err != nil {
				t.Errorf("apply: %v", err)
			}
			if err := resource.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
	}
	for _, want := range []string{"POST " + mediaType, "PUT " + mediaType, "GET " + mediaType, "PATCH " + mediaType, "DELETE " + mediaType, "GET " + mediaType + "-seq"} {
		if !seen[want] {
			t.Errorf("no answer was %q: %v", want, seen)
		}
	}
	malformed(t, server)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// malformed sends bodies that are no CBOR.
func malformed(t *testing.T, server *stoatest.Server) {
	t.Helper()
	client, err := rest.HTTPClientFor(server.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", "{}", "\xd9\xd9\xf7", "\xd9\xd9\xf7\xa1", "\xd9\xd9\xf7\xbf\xff", "\xff\xff"} {
		response, err := client.Post(server.URL()+"/apis/tenancy.stoa.dev/v1/tenants", mediaType, bytes.NewBufferString(body)) //nolint:noctx // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode < 400 || response.StatusCode >= 500 {
			t.Errorf("body %q: answer %d: %s", body, response.StatusCode, answer)
		}
	}
}
