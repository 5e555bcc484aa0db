// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenant_test

import (
	"context"
	"fmt"
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

// land is what the controller sees, in the time of a bubble.
type land struct {
	*testing.T
	client   *fake.Clientset
	metadata *metadatafake.FakeMetadataClient
	own      *tenancyfake.Clientset
}

// known is the tenant t as the server stores it.
func known() *tenancyv1.Tenant {
	return &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "t", Finalizers: []string{"tenancy.stoa.dev/namespaces"}}}
}

// govern runs the controller on a server, which is alone or not, with a tenant; nil: none.
func govern(t *testing.T, alone bool, first *tenancyv1.Tenant, test func(l *land)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		scheme := metadatafake.NewTestScheme()
		if err := metav1.AddMetaToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		l := &land{T: t, client: fake.NewClientset(), metadata: metadatafake.NewSimpleMetadataClient(scheme), own: tenancyfake.NewClientset()}
		if first != nil {
			if err := l.own.Tracker().Add(first); err != nil {
				t.Fatal(err)
			}
		}
		server := work.Server{
			Client: l.client, Metadata: l.metadata, Informers: informers.NewSharedInformerFactory(l.client, 0), Charges: &quota.Charges{},
			Tenancy: l.own, TenancyInformers: externalversions.NewSharedInformerFactory(l.own, 0), Alone: alone, RequestTimeout: time.Minute,
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
		synctest.Wait()
		test(l)
		cancel()
		<-ended
		server.Informers.Shutdown()
		server.TenancyInformers.Shutdown()
	})
}

// create makes a namespace of the tenant.
func (l *land) create(name string) {
	l.Helper()
	meta := metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{"tenancy.stoa.dev/tenant": "t"}}
	known := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: meta}
	if err := l.metadata.Tracker().Create(namespaces, known, ""); err != nil {
		l.Fatal(err)
	}
	if _, err := l.client.CoreV1().Namespaces().Create(l.Context(), &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		l.Fatal(err)
	}
}

func (l *land) tenant() *tenancyv1.Tenant {
	l.Helper()
	synctest.Wait()
	out, err := l.own.TenancyV1().Tenants().Get(l.Context(), "t", metav1.GetOptions{})
	if err != nil {
		l.Fatal(err)
	}
	return out
}

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
			govern(t, tc.alone, known(), func(l *land) {
				check := func(when string, want int32) {
					t.Helper()
					if got := l.tenant().Status.Namespaces.Count; got != want {
						t.Errorf("%s: %d, want %d", when, got, want)
					}
				}
				l.create("first")
				check("one", 1)
				counted := l.tenant()
				counted.Status.Namespaces.Count += 3
				if _, err := l.own.TenancyV1().Tenants().UpdateStatus(l.Context(), counted, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				check("three are counted", tc.counts[0])
				l.create("second")
				check("one has come", tc.counts[1])
				<-time.After(time.Minute) // of the bubble
				check("the others never come", tc.counts[2])
			})
		})
	}
}

// A tenant that is deleted stays until the namespace is there that another server has
// counted, or its request is over.
func TestDeletion(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		alone bool
		want  string // what the condition says at first; empty: the tenant may go
	}{
		"alone":       {true, ""},
		"two servers": {false, "waits until namespaces are there, or their requests over, that another server has counted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			going := known()
			going.DeletionTimestamp = &metav1.Time{Time: time.Unix(0, 0)}
			going.Status.Namespaces.Count = 1
			govern(t, tc.alone, going, func(l *land) {
				got := ""
				if now := l.tenant(); len(now.Finalizers) > 0 {
					got = now.Status.Conditions[0].Message
				}
				if got != tc.want {
					t.Errorf("at first %q, want %q", got, tc.want)
				}
				<-time.After(2 * time.Minute) // of the bubble
				if now := l.tenant(); len(now.Finalizers) > 0 {
					t.Errorf("later: %+v", now)
				}
			})
		})
	}
}

// Namespaces leave while the first tenant comes.
func TestFirstTenant(t *testing.T) {
	t.Parallel()
	govern(t, true, nil, func(l *land) {
		for i := range 20 {
			name := fmt.Sprint("n", i)
			l.create(name)
			if i == 10 {
				if _, err := l.own.TenancyV1().Tenants().Create(l.Context(), known(), metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := l.client.CoreV1().Namespaces().Update(l.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if phase := l.tenant().Status.Phase; phase != tenancyv1.TenantActive {
			t.Errorf("phase %q", phase)
		}
	})
}
