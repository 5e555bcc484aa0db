// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"github.com/stoa-project/stoa/server/etcd"
)

// TestPrune deletes what an older version has made, and nothing else.
func TestPrune(t *testing.T) {
	t.Parallel()
	server, err := etcd.Start(t.Context(), etcd.Config{Dir: path.Join(t.TempDir(), "etcd"), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Stop(context.WithoutCancel(t.Context())) }()
	client, scheme := server.Client(), newScheme(t)
	seeder := &Seeder{
		Scheme: scheme, Options: fakeOptions{serializer.NewCodecFactory(scheme)},
		Client: func(context.Context, storagebackend.TransportConfig) (*clientv3.Client, error) { return client, nil },
		Serves: func(r schema.GroupVersionResource) bool { return r.Group == "flowcontrol.apiserver.k8s.io" },
	}
	objects, err := Objects()
	if err != nil {
		t.Fatal(err)
	}
	names := func() []string {
		t.Helper()
		r, err := client.Get(t.Context(), "/test/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, kv := range r.Kvs {
			out = append(out, strings.TrimPrefix(string(kv.Key), "/test/"))
		}
		return out
	}
	if err := seeder.Run(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	want := names()
	if len(want) != 11+8 { // schemas and levels of Kubernetes 1.37
		t.Errorf("%d default objects: %q", len(want), want)
	}
	for name, metadata := range map[string]string{
		"flowschemas/old":                   `"annotations":{"apf.kubernetes.io/autoupdate-spec":"true"}`,
		"prioritylevelconfigurations/old":   `"annotations":{"apf.kubernetes.io/autoupdate-spec":"true"}`,
		"flowschemas/taken-over":            `"annotations":{"apf.kubernetes.io/autoupdate-spec":"false"}`,
		"flowschemas/unclear":               `"annotations":{"apf.kubernetes.io/autoupdate-spec":"perhaps"}`,
		"flowschemas/of-a-user":             `"labels":{}`,
		"flowschemas/held":                  `"annotations":{"apf.kubernetes.io/autoupdate-spec":"true"},"finalizers":["example.com/hold"]`,
		"prioritylevelconfigurations/owned": `"labels":{}`,
	} {
		resource, object, _ := strings.Cut(name, "/")
		kind := map[string]string{"flowschemas": "FlowSchema", "prioritylevelconfigurations": "PriorityLevelConfiguration"}[resource]
		data := `{"apiVersion":"flowcontrol.apiserver.k8s.io/v1","kind":"` + kind + `","metadata":{"name":"` + object + `",` + metadata + `}}`
		if _, err := client.Put(t.Context(), "/test/"+name, data); err != nil {
			t.Fatal(err)
		}
	}
	want = append(want, "flowschemas/taken-over", "flowschemas/unclear", "flowschemas/of-a-user", "flowschemas/held", "prioritylevelconfigurations/owned")
	slices.Sort(want)
	for range 2 {
		if err := seeder.Prune(t.Context(), objects); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, names()); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
	}
	// One that nobody can read does not keep others from being deleted.
	for key, value := range map[string]string{
		"/test/flowschemas/broken": "{", "/test/flowschemas/old": `{"apiVersion":"flowcontrol.apiserver.k8s.io/v1","kind":"FlowSchema","metadata":{"name":"old","annotations":{"apf.kubernetes.io/autoupdate-spec":"true"}}}`,
	} {
		if _, err := client.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	err = seeder.Prune(t.Context(), objects)
	if err == nil || !strings.HasPrefix(err.Error(), "delete /test/flowschemas/broken if it is no default object any more: ") {
		t.Errorf("a broken object: %v", err)
	}
	if slices.Contains(names(), "flowschemas/old") {
		t.Error("an old object is still there")
	}
}
