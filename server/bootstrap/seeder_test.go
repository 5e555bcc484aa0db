// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"path"
	"slices"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"github.com/stoa-project/stoa/server/etcd"
)

// fakeOptions store in JSON below /test.
type fakeOptions struct{ codecs serializer.CodecFactory }

func (f fakeOptions) GetRESTOptions(resource schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	codec := f.codecs.LegacyCodec(corev1.SchemeGroupVersion, flowcontrolv1.SchemeGroupVersion, rbacv1.SchemeGroupVersion)
	config := storagebackend.NewDefaultConfig("/test", codec)
	return generic.RESTOptions{StorageConfig: config.ForResource(resource), ResourcePrefix: resource.Resource}, nil
}

func TestSeeder(t *testing.T) {
	t.Parallel()
	server, err := etcd.Start(t.Context(), etcd.Config{Dir: path.Join(t.TempDir(), "etcd"), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Stop(context.WithoutCancel(t.Context())) }()
	client := server.Client()
	scheme := newScheme(t)
	codecs := serializer.NewCodecFactory(scheme)
	seeder := &Seeder{
		Scheme: scheme, Options: fakeOptions{codecs},
		Client: func(context.Context, storagebackend.TransportConfig) (*clientv3.Client, error) { return client, nil },
		Serves: func(r schema.GroupVersionResource) bool {
			return r.Group != "flowcontrol.apiserver.k8s.io" && r.Group != "scheduling.k8s.io"
		},
	}
	objects, err := Objects()
	if err != nil {
		t.Fatal(err)
	}
	objects = append(objects, Trust(map[string]string{"client-ca-file": certificate(t, 1<<40)}))
	run := func() (revision, count int64) {
		t.Helper()
		if err := seeder.Run(t.Context(), objects); err != nil {
			t.Fatal(err)
		}
		r, err := client.Get(t.Context(), "/test/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			t.Fatal(err)
		}
		return r.Header.Revision, r.Count
	}
	const wanted = 141 + 9 + 4 + 1 // roles and bindings of Kubernetes, own ones, namespaces, trust
	first, count := run()
	if count != wanted {
		t.Errorf("%d objects, want %d", count, wanted)
	}
	role := func() *rbacv1.ClusterRole {
		t.Helper()
		r, err := client.Get(t.Context(), "/test/clusterroles/system:basic-user")
		if err != nil || len(r.Kvs) != 1 {
			t.Fatal(r, err)
		}
		obj, err := runtime.Decode(codecs.UniversalDeserializer(), r.Kvs[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		return obj.(*rbacv1.ClusterRole)
	}
	made := role()
	if made.UID == "" || made.CreationTimestamp.IsZero() || len(made.Rules) != 2 {
		t.Errorf("a new role is %+v", made)
	}
	if second, _ := run(); second != first {
		t.Error("a second start wrote")
	}

	changed := made.DeepCopy()
	changed.Rules = []rbacv1.PolicyRule{made.Rules[1], {Verbs: []string{"get"}, NonResourceURLs: []string{"/mine"}}}
	data, err := runtime.Encode(codecs.LegacyCodec(rbacv1.SchemeGroupVersion), changed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Put(t.Context(), "/test/clusterroles/system:basic-user", string(data)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Delete(t.Context(), path.Join("/test/namespaces", metav1.NamespacePublic)); err != nil {
		t.Fatal(err)
	}
	if _, count := run(); count != wanted {
		t.Errorf("%d objects after one was deleted, want %d", count, wanted)
	}
	mended := role()
	if mended.UID != made.UID || !slices.ContainsFunc(mended.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.NonResourceURLs, "/mine") }) ||
		len(mended.Rules) != 4 { // the library splits the missing one
		t.Errorf("a changed role became %+v", mended)
	}
}
