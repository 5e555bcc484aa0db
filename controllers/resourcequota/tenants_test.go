// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/quota"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/catalog/catalogtest"
	"github.com/stoa-project/stoa/controllers/resourcequota"
	"github.com/stoa-project/stoa/controllers/work"
	tenancyfake "github.com/stoa-project/stoa/generated/clientset/versioned/fake"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
)

// land is what the controller of tenants sees, in the time of a bubble.
type land struct {
	*testing.T
	client   *fake.Clientset
	metadata *metadatafake.FakeMetadataClient
	own      *tenancyfake.Clientset
	charges  quota.Charges
}

// people is a tenant that may have a hundred config maps, or has no quota.
func people(name string, limited bool) *tenancyv1.Tenant {
	out := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "uid"}}
	if limited {
		out.Spec.Quota.Hard = corev1.ResourceList{"count/configmaps": resource.MustParse("100")}
	}
	return out
}

// govern runs the controller on a server, which is alone or not, with config maps a and b in
// the namespace n, and c in m, of the tenant t.
func govern(t *testing.T, alone bool, test func(l *land)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		scheme := metadatafake.NewTestScheme()
		if err := metav1.AddMetaToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		known := []runtime.Object{configMap("n", "a"), configMap("n", "b"), configMap("m", "c")}
		var typed []runtime.Object
		for _, name := range []string{"n", "m"} {
			meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{"tenancy.stoa.dev/tenant": "t"}}
			typed = append(typed, &corev1.Namespace{ObjectMeta: meta})
			known = append(known, &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: meta})
		}
		l := &land{
			T: t, client: fake.NewClientset(typed...), metadata: metadatafake.NewSimpleMetadataClient(scheme, known...),
			own: tenancyfake.NewClientset(people("t", true), people("free", false)),
		}
		all, _ := catalogtest.New(t, served(configMaps)...)
		server := work.Server{
			Client: l.client, Metadata: l.metadata, Catalog: all, Informers: informers.NewSharedInformerFactory(l.client, 0), Charges: &l.charges,
			Tenancy: l.own, TenancyInformers: externalversions.NewSharedInformerFactory(l.own, 0), Alone: alone, RequestTimeout: time.Minute,
		}
		do := resourcequota.NewTenants(server)
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

func (l *land) tenant(name string) *tenancyv1.Tenant {
	l.Helper()
	synctest.Wait()
	out, err := l.own.TenancyV1().Tenants().Get(l.Context(), name, metav1.GetOptions{})
	if err != nil {
		l.Fatal(err)
	}
	return out
}

// uses compares how many config maps a tenant says that it uses; empty: it says nothing.
func (l *land) uses(when, name, want string) {
	l.Helper()
	got := ""
	if quantity, ok := l.tenant(name).Status.QuotaUsed["count/configmaps"]; ok {
		got = quantity.String()
	}
	if got != want {
		l.Errorf("%s: %q used, want %q", when, got, want)
	}
}

// charge has a server write what is used.
func (l *land) charge(used, version string) {
	l.Helper()
	tenant := l.tenant("t")
	tenant.ResourceVersion = version
	tenant.Status.QuotaUsed = corev1.ResourceList{"count/configmaps": resource.MustParse(used)}
	if _, err := l.own.TenancyV1().Tenants().UpdateStatus(l.Context(), tenant, metav1.UpdateOptions{}); err != nil {
		l.Fatal(err)
	}
	synctest.Wait()
}

func (l *land) remove(namespace, name string) {
	l.Helper()
	if err := l.metadata.Resource(configMaps).Namespace(namespace).Delete(l.Context(), name, metav1.DeleteOptions{}); err != nil {
		l.Fatal(err)
	}
	synctest.Wait()
}

// move gives a namespace to a tenant.
func (l *land) move(namespace, tenant string) {
	l.Helper()
	meta := metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"tenancy.stoa.dev/tenant": tenant}}
	known := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: meta}
	if err := l.metadata.Tracker().Update(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, known, ""); err != nil {
		l.Fatal(err)
	}
	if _, err := l.client.CoreV1().Namespaces().Update(l.Context(), &corev1.Namespace{ObjectMeta: meta}, metav1.UpdateOptions{}); err != nil {
		l.Fatal(err)
	}
	synctest.Wait()
}

func (l *land) limit(name string, limited bool) {
	l.Helper()
	tenant := l.tenant(name)
	tenant.Spec = people(name, limited).Spec
	if _, err := l.own.TenancyV1().Tenants().Update(l.Context(), tenant, metav1.UpdateOptions{}); err != nil {
		l.Fatal(err)
	}
	synctest.Wait()
}

// A tenant uses what is in its namespaces.
func TestTenant(t *testing.T) {
	t.Parallel()
	govern(t, true, func(l *land) {
		l.uses("at first", "t", "3")
		l.uses("without a quota", "free", "")
		l.remove("n", "a")
		l.uses("one is gone", "t", "2")
		l.move("m", "free")
		l.uses("a namespace is gone", "t", "1")
		l.limit("free", true)
		l.uses("a quota later", "free", "1")
		l.move("m", "t")
		l.uses("a namespace is back", "t", "2")
		l.uses("a namespace is gone again", "free", "0")

		// Requests that are not over may be on their way to the store.
		request, over := context.WithCancel(l.Context())
		l.charges.Add(request, "m")
		l.charge("5", "7")
		l.remove("n", "b")
		l.uses("not over", "t", "5")
		over()
		l.uses("over", "t", "1")

		// What a crash left goes by itself.
		l.charge("9", "8")
		pass(6 * time.Minute)
		l.uses("counted again", "t", "1")
		l.limit("t", false)
		l.uses("no quota any more", "t", "")
		pass(6 * time.Minute)
		before := len(l.own.Actions())
		l.remove("m", "c")
		pass(time.Hour)
		if n := len(l.own.Actions()) - before; n > 13 { // the other tenant, every five minutes
			l.Errorf("%d requests without a quota", n)
		}
	})
}

// What another server has charged of late is not taken off before its requests are over.
func TestTenantOfTwoServers(t *testing.T) {
	t.Parallel()
	govern(t, false, func(l *land) {
		l.uses("at first", "t", "3")
		l.remove("n", "a")
		l.uses("at first others may have charged", "t", "3")
		pass(2 * time.Minute)
		l.uses("nobody has", "t", "2")

		l.charge("5", "7")
		l.remove("n", "b")
		l.uses("charged by another server", "t", "5")
		pass(30 * time.Second)
		l.charge("6", "8") // and again: that is later
		pass(31 * time.Second)
		l.uses("counted with what came meanwhile", "t", "2")
		pass(2 * time.Minute)
		l.uses("counted at last", "t", "1")

		l.charges.Wrote("9")
		l.charge("4", "9")
		l.remove("m", "c")
		l.uses("charged by this server", "t", "0")
	})
}

// What another server has charged counts as soon as it is read, also if the informer is
// late.
func TestTenantOfTwoServersInformerIsLate(t *testing.T) {
	t.Parallel()
	govern(t, false, func(l *land) {
		pass(2 * time.Minute)
		var late atomic.Bool
		var mutex sync.Mutex
		var written []string
		ahead := l.tenant("t")
		ahead.ResourceVersion = "7"
		ahead.Status.QuotaUsed = corev1.ResourceList{"count/configmaps": resource.MustParse("5")}
		l.own.PrependReactor("get", "tenants", func(clienttesting.Action) (bool, runtime.Object, error) {
			return late.Load(), ahead.DeepCopy(), nil
		})
		l.own.PrependReactor("update", "tenants", func(action clienttesting.Action) (bool, runtime.Object, error) {
			tenant := action.(clienttesting.UpdateAction).GetObject().(*tenancyv1.Tenant)
			used := tenant.Status.QuotaUsed["count/configmaps"]
			mutex.Lock()
			defer mutex.Unlock()
			written = append(written, used.String())
			return late.Load(), tenant, nil
		})
		late.Store(true)
		l.remove("n", "a")
		mutex.Lock()
		if len(written) > 0 {
			l.Errorf("%q used was written before the informer was told", written)
		}
		mutex.Unlock()
		late.Store(false)
		l.charge("5", "7")
		l.uses("the informer is told", "t", "5")
		pass(2 * time.Minute)
		l.uses("the request is over", "t", "2")
	})
}
