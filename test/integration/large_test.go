// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// atOnce is how many objects of a large test are made at a time.
const atOnce = 32

// moreContent are kinds beside those of content, without services, of which there are not
// enough addresses.
func moreContent(namespace string, custom ...string) map[string]string {
	out := maps.Clone(content)
	delete(out, "/api/v1/namespaces/NS/services")
	maps.Copy(out, map[string]string{
		"/api/v1/namespaces/NS/serviceaccounts":              `{"metadata":{"name":"a"}}`,
		"/api/v1/namespaces/NS/endpoints":                    `{"metadata":{"name":"a"}}`,
		"/api/v1/namespaces/NS/limitranges":                  `{"metadata":{"name":"a"},"spec":{"limits":[]}}`,
		"/api/v1/namespaces/NS/podtemplates":                 `{"metadata":{"name":"a"},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}`,
		"/apis/apps/v1/namespaces/NS/controllerrevisions":    `{"metadata":{"name":"a"},"revision":1,"data":{"a":"b"}}`,
		"/apis/policy/v1/namespaces/NS/poddisruptionbudgets": `{"metadata":{"name":"a"},"spec":{"minAvailable":1}}`,
		"/apis/apps/v1/namespaces/NS/replicasets":            `{"metadata":{"name":"a"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`,
	})
	for _, group := range custom {
		out["/apis/"+group+"/v1/namespaces/NS/widgets"] = `{"apiVersion":"` + group + `/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"color":"red"}}`
	}
	for path, object := range out {
		delete(out, path)
		out[strings.ReplaceAll(path, "NS", namespace)] = strings.ReplaceAll(object, "NS", namespace)
	}
	return out
}

// TestLargeNamespace deletes a namespace with 5 000 objects of 20 kinds, two of them
// defined by users.
func TestLargeNamespace(t *testing.T) {
	t.Parallel()
	const each = 250
	server := stoatest.Start(t)
	groups := []string{"one.example.com", "two.example.com"}
	for _, group := range groups {
		defineOn(t, server, group, widgets)
	}
	fill(t, server.Config(), "large") // the first of each kind may have to wait
	kinds := moreContent("large", groups...)
	if len(kinds) != 20 {
		t.Fatalf("%d kinds, want 20", len(kinds))
	}
	paths := slices.Sorted(maps.Keys(kinds))
	config := server.Config()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(atOnce)
	for i := range each * len(paths) {
		group.Go(func() error {
			path := paths[i%len(paths)]
			object := strings.Replace(kinds[path], `"name":"a"`, fmt.Sprintf(`"name":"a%d"`, i), 1)
			made, err := try(ctx, request{method: "POST", path: path, body: []byte(object), config: config})
			if err == nil && made.code != 201 {
				err = fmt.Errorf("create at %s: %d %s", path, made.code, made.body)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := kubernetes.NewForConfigOrDie(config).CoreV1().Namespaces().Delete(t.Context(), "large", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	shrinks(t, func() int { return len(stored(t, server, "large")) })
	wantGone(t, server, "large")
}

// TestLargeTree deletes the root of a tree of owners with 5 000 objects, three levels high,
// from the root, and that of a smaller one from the leaves.
func TestLargeTree(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	f := newFamily(t, server, "tree")
	for policy, branches := range map[metav1.DeletionPropagation]int{metav1.DeletePropagationBackground: 70, metav1.DeletePropagationForeground: 20} {
		f.make(configMapResource, "bystander-"+strings.ToLower(string(policy)))
		root := owns(f.make(configMapResource, "root"))
		group, ctx := errgroup.WithContext(t.Context())
		group.SetLimit(atOnce)
		for i := range branches {
			group.Go(func() error {
				branch, err := f.grow(ctx, fmt.Sprintf("branch-%d", i), root)
				for j := 0; err == nil && j < branches; j++ {
					_, err = f.grow(ctx, fmt.Sprintf("leaf-%d-%d", i, j), branch)
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		f.delete(configMapResource, "root", policy)
		shrinks(t, func() int {
			left, err := server.Etcd().Get(t.Context(), "/registry/secrets/tree/", clientv3.WithPrefix(), clientv3.WithCountOnly())
			if err != nil {
				t.Fatal(err)
			}
			return int(left.Count)
		})
		f.gone(configMapResource, "root")
	}
	f.is(configMapResource, "bystander-background", "")
	f.is(configMapResource, "bystander-foreground", "")
}

// shrinks waits until nothing is left, for as long as it becomes less.
func shrinks(t *testing.T, count func() int) {
	t.Helper()
	for left := count(); left > 0; {
		eventually(t, func() string {
			now := count()
			if now >= left {
				return fmt.Sprintf("%d are left", now)
			}
			left = now
			return ""
		})
	}
}

// grow makes a secret with an owner, and returns the reference to it.
func (f *family) grow(ctx context.Context, name string, owner metav1.OwnerReference) (metav1.OwnerReference, error) {
	obj := custom(secretResource, "Secret", name, nil)
	obj.SetOwnerReferences([]metav1.OwnerReference{owner})
	made, err := f.of(secretResource).Create(ctx, obj, metav1.CreateOptions{})
	if err != nil {
		return metav1.OwnerReference{}, err
	}
	return owns(made), nil
}
