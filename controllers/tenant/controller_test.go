// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenant_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"

	"github.com/stoa-project/stoa/admission/quota"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/tenant"
	"github.com/stoa-project/stoa/controllers/work"
	tenancyfake "github.com/stoa-project/stoa/generated/clientset/versioned/fake"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
)

var namespaces = corev1.SchemeGroupVersion.WithResource("namespaces")

// TestCount has namespaces come that admission has counted before, here or on another
// server, and some that never come.
func TestCount(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		alone bool
		// counts are those of the status: when three are counted, when one of them has come,
		// and when the requests for the others are over.
		counts [3]int32
	}{
		"alone":       {true, [3]int32{1, 2, 2}},
		"two servers": {false, [3]int32{4, 4, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				scheme := metadatafake.NewTestScheme()
				if err := metav1.AddMetaToScheme(scheme); err != nil {
					t.Fatal(err)
				}
				client, metadata := fake.NewClientset(), metadatafake.NewSimpleMetadataClient(scheme)
				own := tenancyfake.NewClientset(&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "t", Finalizers: []string{"tenancy.stoa.dev/namespaces"}}})
				server := work.Server{
					Client: client, Metadata: metadata, Informers: informers.NewSharedInformerFactory(client, 0), Charges: &quota.Charges{},
					Tenancy: own, TenancyInformers: externalversions.NewSharedInformerFactory(own, 0), Alone: tc.alone, RequestTimeout: time.Minute,
				}
				do := tenant.New(server)
				ctx, cancel := context.WithCancel(t.Context())
				server.Informers.StartWithContext(ctx)
				server.TenancyInformers.StartWithContext(ctx)
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					do(ctx)
				}()
				create := func(name string) {
					t.Helper()
					meta := metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{"tenancy.stoa.dev/tenant": "t"}}
					known := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: meta}
					if err := metadata.Tracker().Create(namespaces, known, ""); err != nil {
						t.Fatal(err)
					}
					if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				get := func() *tenancyv1.Tenant {
					t.Helper()
					synctest.Wait()
					out, err := own.TenancyV1().Tenants().Get(ctx, "t", metav1.GetOptions{})
					if err != nil {
						t.Fatal(err)
					}
					return out
				}
				check := func(when string, want int32) {
					t.Helper()
					if got := get().Status.Namespaces.Count; got != want {
						t.Errorf("%s: %d, want %d", when, got, want)
					}
				}
				create("first")
				check("one", 1)
				counted := get()
				counted.Status.Namespaces.Count += 3
				if _, err := own.TenancyV1().Tenants().UpdateStatus(ctx, counted, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				check("three are counted", tc.counts[0])
				create("second")
				check("one has come", tc.counts[1])
				<-time.After(time.Minute) // of the bubble
				check("the others never come", tc.counts[2])
				cancel()
				<-ended
				server.Informers.Shutdown()
				server.TenancyInformers.Shutdown()
			})
		})
	}
}
