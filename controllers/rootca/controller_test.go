// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package rootca_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/controllers/rootca"
	"github.com/stoa-project/stoa/controllers/work"
	"github.com/stoa-project/stoa/stoatest"
)

// published waits until a namespace has the certificates.
func published(t *testing.T, client kubernetes.Interface, namespace, want string) {
	t.Helper()
	var got *corev1.ConfigMap
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		var err error
		got, err = client.CoreV1().ConfigMaps(namespace).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && len(got.Data) == 1 && got.Data["ca.crt"] == want && got.Annotations["kubernetes.io/description"] != "", err
	})
	if err != nil {
		t.Fatalf("namespace %s: %v: %+v", namespace, err, got)
	}
}

// Every namespace has the config map, also after somebody changed or deleted it.
func TestController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	config := stoatest.Start(t).Config()
	client := kubernetes.NewForConfigOrDie(config)
	want := string(config.CAData)
	for _, namespace := range []string{"default", "kube-system"} {
		published(t, client, namespace, want)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	published(t, client, "shop", want)
	configMaps := client.CoreV1().ConfigMaps("shop")
	for _, patch := range []string{`{"data":{"ca.crt":"mine"}}`, `{"data":{"more":"x"}}`, `{"metadata":{"annotations":null}}`} {
		if _, err := configMaps.Patch(t.Context(), "kube-root-ca.crt", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		published(t, client, "shop", want)
	}
	if err := configMaps.Delete(t.Context(), "kube-root-ca.crt", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	published(t, client, "shop", want)
	if err := client.CoreV1().Namespaces().Delete(t.Context(), "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Namespaces().Get(ctx, "shop", metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if err != nil {
		t.Errorf("the namespace does not go: %v", err)
	}
}

// stores returns what the server has of config maps in the client, with the types of the
// store.
func stores(client kubernetes.Interface) func(schema.GroupVersionResource) cache.ListerWatcher {
	configMaps := client.CoreV1().ConfigMaps("")
	return func(schema.GroupVersionResource) cache.ListerWatcher {
		return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				list, err := configMaps.List(ctx, options)
				if err != nil {
					return nil, err
				}
				out := &core.ConfigMapList{ListMeta: list.ListMeta}
				for i := range list.Items {
					out.Items = append(out.Items, core.ConfigMap(list.Items[i]))
				}
				return out, nil
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				from, err := configMaps.Watch(ctx, options)
				if err != nil {
					return nil, err
				}
				return watch.Filter(from, func(event watch.Event) (watch.Event, bool) {
					event.Object = (*core.ConfigMap)(event.Object.(*corev1.ConfigMap))
					return event, true
				}), nil
			},
		}, client)
	}
}

// Two servers that disagree on the certificates write now and then, and not without end.
func TestDisagreement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}})
		writes := 0
		client.PrependReactor("update", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			writes++ // one at a time, by the lock of the client
			return false, nil, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		var servers sync.WaitGroup
		for _, ca := range []string{"one", "two"} {
			factory := informers.NewSharedInformerFactory(client, 0)
			run := rootca.New(work.Server{Client: client, Informers: factory, Local: stores(client), RootCA: []byte(ca)})
			factory.StartWithContext(ctx)
			servers.Go(func() { run(ctx) })
		}
		<-time.After(time.Hour)
		cancel()
		servers.Wait()
		// At most one a minute of each, after the first.
		if writes < 60 || writes > 150 {
			t.Errorf("they wrote %d times in an hour", writes)
		}
	})
}

// What a file says is published in place of what the server has, also where something
// else was published before.
func TestFile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts servers")
	}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "ca.crt")
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	own := string(server.Config().CAData)
	published(t, kubernetes.NewForConfigOrDie(server.Config()), "default", own)
	server.Stop()
	if err := os.WriteFile(file, []byte("# mine\n"+own), 0o600); err != nil {
		t.Fatal(err)
	}
	server = stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--root-ca-file="+file))
	published(t, kubernetes.NewForConfigOrDie(server.Config()), "default", "# mine\n"+own)
}
