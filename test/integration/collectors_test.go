// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/stoatest"
)

// TestCollectorsOfTwoServers has two servers on one etcd, whose controllers all work at
// the same time.
func TestCollectorsOfTwoServers(t *testing.T) {
	t.Parallel()
	shared, err := etcd.Start(t.Context(), etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shared.Stop(context.WithoutCancel(t.Context())) })
	onShared := stoatest.WithFlags("--etcd-servers=" + shared.Endpoints()[0])
	one, two := stoatest.Start(t, onShared), stoatest.Start(t, onShared)
	f := newFamily(t, one, "both")
	far := &family{T: t, client: dynamic.NewForConfigOrDie(two.Config()), namespace: "both"}

	const dependents = 20
	policies := []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan}
	var group errgroup.Group
	keeper := owns(f.make(configMapResource, "keeper"))
	for _, policy := range policies {
		name := strings.ToLower(string(policy))
		owner := owns(f.make(configMapResource, name))
		for i := range dependents {
			group.Go(func() error {
				for j, refs := range [][]metav1.OwnerReference{{owner}, {owner, keeper}} {
					obj := custom(secretResource, "Secret", fmt.Sprintf("%s-%d-%d", name, i, j), nil)
					obj.SetOwnerReferences(refs)
					if _, err := far.of(secretResource).Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, policy := range policies {
		far.delete(configMapResource, strings.ToLower(string(policy)), policy)
	}
	f.gone(configMapResource, "background", "foreground", "orphan")
	for i := range dependents {
		f.gone(secretResource, fmt.Sprintf("background-%d-0", i), fmt.Sprintf("foreground-%d-0", i))
		f.is(secretResource, fmt.Sprintf("orphan-%d-0", i), "")
		for _, policy := range policies {
			f.is(secretResource, fmt.Sprintf("%s-%d-1", strings.ToLower(string(policy)), i), "keeper")
		}
	}

	namespaces := kubernetes.NewForConfigOrDie(two.Config()).CoreV1().Namespaces()
	for _, name := range []string{"first", "second"} {
		fill(t, one.Config(), name)
		if err := namespaces.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"first", "second"} {
		eventually(t, func() string {
			if _, err := namespaces.Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return name + " is still there: " + text(err)
			}
			return ""
		})
	}
}

// TestCollectorsOfOtherServers have less to look at, or look at it in another way.
func TestCollectorsOfOtherServers(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"minimal":  {"--api-groups=minimal", "--custom-resources=false", "--aggregation=false"},
		"uncached": {"--watch-cache=false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags(flags...))
			f := newFamily(t, server, "other")
			background(f)
			foreground(f)
			namespaces := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Namespaces()
			if err := namespaces.Delete(t.Context(), "other", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			wantGone(t, server, "other")
		})
	}
}

// TestCollectorMetrics has the metrics of queues by the names of Kubernetes.
func TestCollectorMetrics(t *testing.T) {
	t.Parallel()
	metrics := string(do(t, request{method: http.MethodGet, path: "/metrics"}).body)
	for _, want := range []string{
		"garbagecollector_controller_resources_sync_error_total ",
		`workqueue_adds_total{name="garbage_collector_attempt_to_delete"} `,
		`workqueue_adds_total{name="garbage_collector_attempt_to_orphan"} `,
		`workqueue_adds_total{name="namespace"} `,
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("no metric %s", want)
		}
	}
}
