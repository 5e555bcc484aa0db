// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// deletable are objects whose deletion is answered with what is gone, and some of
// those for which it is a Status. The base of the path says which resource it is.
var deletable = []struct{ path, want, object string }{
	{"/api/v1/namespaces/{}/persistentvolumeclaims", "PersistentVolumeClaim", "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"},
	{"/api/v1/namespaces/{}/pods", "Pod", "spec: {containers: [{name: c, image: i}]}"},
	{"/api/v1/namespaces/{}/podtemplates", "PodTemplate", "template: {spec: {containers: [{name: c, image: i}]}}"},
	{"/api/v1/namespaces/{}/resourcequotas", "ResourceQuota", "spec: {hard: {pods: 9}}"},
	{"/api/v1/namespaces/{}/serviceaccounts", "ServiceAccount", ""},
	{"/api/v1/namespaces/{}/services", "Service", "spec: {ports: [{port: 80}]}"},
	{"/api/v1/persistentvolumes", "PersistentVolume", "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, hostPath: {path: /a}}"},
	{"/apis/resource.k8s.io/v1/deviceclasses", "DeviceClass", ""},
	{"/apis/resource.k8s.io/v1/namespaces/{}/resourceclaims", "ResourceClaim", ""},
	{"/apis/resource.k8s.io/v1/namespaces/{}/resourceclaimtemplates", "ResourceClaimTemplate", ""},
	{"/apis/resource.k8s.io/v1/resourceslices", "ResourceSlice", "spec: {driver: d.example.com, nodeName: node-a, pool: {name: p, resourceSliceCount: 1}}"},
	{"/apis/storage.k8s.io/v1/csidrivers", "CSIDriver", ""},
	{"/apis/storage.k8s.io/v1/csinodes", "CSINode", "spec: {drivers: []}"},
	{"/apis/storage.k8s.io/v1/storageclasses", "StorageClass", "provisioner: d.example.com"},
	{"/apis/storage.k8s.io/v1/volumeattachments", "VolumeAttachment", "spec: {attacher: d.example.com, nodeName: node-a, source: {persistentVolumeName: p}}"},
	{"/apis/storage.k8s.io/v1/volumeattributesclasses", "VolumeAttributesClass", "{driverName: d.example.com, parameters: {a: b}}"},

	{"/api/v1/namespaces/{}/configmaps", "Status", ""},
	{"/api/v1/namespaces/{}/endpoints", "Status", ""},
	{"/api/v1/namespaces/{}/limitranges", "Status", "spec: {limits: []}"},
	{"/api/v1/namespaces/{}/secrets", "Status", ""},
	{"/api/v1/nodes", "Status", ""},
	{"/apis/coordination.k8s.io/v1/namespaces/{}/leases", "Status", ""},
	{"/apis/resource.k8s.io/v1/devicetaintrules", "Status", "spec: {taint: {key: example.com/a, effect: NoSchedule}}"},
	{"/apis/scheduling.k8s.io/v1/priorityclasses", "Status", "value: 1"},
	{"/apis/storage.k8s.io/v1/namespaces/{}/csistoragecapacities", "Status", "storageClassName: c"},
	{"/apis/tenancy.stoa.dev/v1/tenants", "Status", ""},
}

// TestAnswersToDelete are objects of the kinds for which kube-apiserver does it.
func TestAnswersToDelete(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	for _, tc := range deletable {
		t.Run(path.Base(tc.path), func(t *testing.T) {
			t.Parallel()
			name := strings.ReplaceAll(unique(t), ".", "-")
			object := map[string]any{}
			if err := yaml.Unmarshal([]byte(tc.object), &object); err != nil {
				t.Fatal(err)
			}
			object["metadata"] = map[string]any{"name": name}
			body, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			at := strings.ReplaceAll(tc.path, "{}", namespace)
			if created := do(t, request{method: http.MethodPost, path: at, body: body, header: map[string]string{"Content-Type": "application/yaml"}}); created.code != http.StatusCreated {
				t.Fatalf("create: %d %s", created.code, created.body)
			}
			at += "/" + name
			// An object that waits for a finalizer is the answer for all kinds.
			if freed := do(t, request{
				method: http.MethodPatch, path: at, body: []byte(`{"metadata":{"finalizers":null}}`),
				header: map[string]string{"Content-Type": string(types.MergePatchType)},
			}); freed.code != http.StatusOK {
				t.Fatalf("free of finalizers: %d %s", freed.code, freed.body)
			}
			deleted := do(t, request{method: http.MethodDelete, path: at})
			if got := deleted.object(t)["kind"]; deleted.code != http.StatusOK || got != tc.want {
				t.Errorf("got %d and a %v, want a %s", deleted.code, got, tc.want)
			}
			// A controller may have given it a finalizer again, which it takes back.
			eventually(t, func() string {
				if left := do(t, request{path: at}); left.code != http.StatusNotFound {
					return fmt.Sprintf("a read after it: %d", left.code)
				}
				return ""
			})
		})
	}
}

// TestAnswersToDeleteInOpenAPI are the same, and a Status for all other kinds.
func TestAnswersToDeleteInOpenAPI(t *testing.T) {
	t.Parallel()
	want := map[string]string{"projects": "Project"} // see the tests of projects
	for _, tc := range deletable {
		if tc.want != "Status" {
			want[path.Base(tc.path)] = tc.want
		}
	}
	got, kinds := map[string]string{}, 0
	index := do(t, request{path: "/openapi/v3"}).object(t)["paths"].(map[string]any)
	for group := range index {
		if strings.HasSuffix(path.Dir(group), ".example.com") { // other tests define resources at the same time
			continue
		}
		paths := do(t, request{path: "/openapi/v3/" + group}).object(t)["paths"].(map[string]any)
		for at, item := range paths {
			del, ok := item.(map[string]any)["delete"].(map[string]any)
			if !ok || path.Base(at) != "{name}" {
				continue
			}
			kinds++
			ref := del["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)["$ref"].(string)
			if kind := ref[strings.LastIndex(ref, ".")+1:]; kind != "Status" {
				got[path.Base(path.Dir(at))] = kind
			}
		}
	}
	for _, resource := range slices.Sorted(maps.Keys(want)) {
		if got[resource] != want[resource] {
			t.Errorf("%s: got %q, want %q", resource, got[resource], want[resource])
		}
		delete(got, resource)
	}
	for resource, kind := range got {
		t.Errorf("%s: got %q, want a Status", resource, kind)
	}
	if kinds < 60 {
		t.Errorf("only %d kinds can be deleted", kinds)
	}
}
