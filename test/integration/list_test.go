// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/stoa-project/stoa/stoatest"
)

// createMany creates config maps n0000, n0001, ...
func createMany(t testing.TB, client typedcore.ConfigMapInterface, count int) {
	t.Helper()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < count; i += 8 {
				if _, err := client.Create(t.Context(), newConfigMap(fmt.Sprintf("n%04d", i), "1"), metav1.CreateOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// TestPaging reads a snapshot page by page while the collection changes.
func TestPaging(t *testing.T) {
	t.Parallel()
	t.Run("cached", func(t *testing.T) { t.Parallel(); testPaging(t, api) })
	t.Run("uncached", func(t *testing.T) {
		t.Parallel()
		testPaging(t, stoatest.Start(t, stoatest.WithFlags("--watch-cache=false", quiet)))
	})
}

func testPaging(t *testing.T, server *stoatest.Server) {
	const count = 1200
	client := ownConfigMaps(t, server)
	createMany(t, client, count)
	var names []string
	var version string
	options := metav1.ListOptions{Limit: 500}
	for page := 0; ; page++ {
		list, err := client.List(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		if page == 0 {
			version = list.ResourceVersion
			// Neither of the two may be seen on a later page.
			createConfigMap(t, client, "n9999", "late")
			if err := client.Delete(t.Context(), "n1100", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if list.ResourceVersion != version {
			t.Errorf("page %d is at %s, the first was at %s", page, list.ResourceVersion, version)
		}
		if list.Continue == "" {
			if list.RemainingItemCount != nil {
				t.Errorf("the last page says %d remain", *list.RemainingItemCount)
			}
			break
		}
		if want := int64(count - len(names)); list.RemainingItemCount == nil || *list.RemainingItemCount != want {
			t.Errorf("page %d: remainingItemCount is %v, want %d", page, list.RemainingItemCount, want)
		}
		options.Continue = list.Continue
	}
	if len(names) != count || names[0] != "n0000" || names[count-1] != "n1199" || names[1100] != "n1100" {
		t.Errorf("%d names, want %d", len(names), count)
	}
	all, err := client.List(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil || len(all.Items) < count-1 {
		t.Errorf("list from the cache: %d items, %v", len(all.Items), err)
	}
	exact, err := client.List(t.Context(), metav1.ListOptions{ResourceVersion: version, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	if err != nil || len(exact.Items) != count || exact.ResourceVersion != version {
		t.Errorf("list at %s: %d items at %s, %v", version, len(exact.Items), exact.ResourceVersion, err)
	}
	// A selector hides how many remain.
	if _, err := client.List(t.Context(), metav1.ListOptions{Limit: 2, Continue: "x"}); text(err) != "invalid continue token: continue key is not valid: illegal base64 data at input byte 0" {
		t.Errorf("bad token: %v", err)
	}
	selected, err := client.List(t.Context(), metav1.ListOptions{Limit: 2, LabelSelector: "!nothing"})
	if err != nil || len(selected.Items) != 2 || selected.RemainingItemCount != nil || selected.Continue == "" {
		t.Errorf("page of a selection: %d items, %v remain, token %q, %v", len(selected.Items), selected.RemainingItemCount, selected.Continue, err)
	}
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	core := coreClient(t).CoreV1()
	for name, secretType := range map[string]corev1.SecretType{"one": "example.com/one", "two": "example.com/two", "opaque": ""} {
		obj := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name, "all": "yes"}}, Type: secretType}
		if _, err := core.Secrets(namespace).Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		label, field string
		want         []string
		wantError    string
	}{
		{label: "name=one", want: []string{"one"}},
		{label: "name in (one,two)", want: []string{"one", "two"}},
		{label: "name notin (one,two),all", want: []string{"opaque"}},
		{label: "!all"},
		{label: "all,name!=one", want: []string{"opaque", "two"}},
		{field: "metadata.name=two", want: []string{"two"}},
		{field: "metadata.name!=two", want: []string{"one", "opaque"}},
		{field: "metadata.namespace=" + namespace + ",type=Opaque", want: []string{"opaque"}},
		{field: "metadata.namespace=other"},
		{field: "type!=Opaque", label: "name=one", want: []string{"one"}},
		{field: "data=x", wantError: `field label not supported: data`},
		{field: "metadata.name", wantError: `invalid selector: 'metadata.name'; can't understand 'metadata.name'`},
		{label: "a b", wantError: `unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt`},
	} {
		list, err := core.Secrets(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: tc.label, FieldSelector: tc.field})
		if diff := cmp.Diff(tc.wantError, text(err)); diff != "" {
			t.Errorf("%s %s: error (-want +got):\n%s", tc.label, tc.field, diff)
			continue
		}
		var names []string
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		if diff := cmp.Diff(tc.want, names); diff != "" {
			t.Errorf("%s %s: names (-want +got):\n%s", tc.label, tc.field, diff)
		}
		// A deletion of a collection selects as a list does.
		if err == nil && tc.wantError == "" {
			err := core.Secrets(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{DryRun: []string{"All"}}, metav1.ListOptions{LabelSelector: tc.label, FieldSelector: tc.field})
			if err != nil {
				t.Errorf("%s %s: deletecollection: %v", tc.label, tc.field, err)
			}
		}
	}
	if got := do(t, request{path: "/api/v1/secrets?fieldSelector=data%3Dx"}); got.code != 400 || got.status(t).Reason != "BadRequest" {
		t.Errorf("unknown field: %d %s, want 400", got.code, got.body)
	}
	err := core.Secrets(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "name in (one,two)"})
	if err != nil {
		t.Fatal(err)
	}
	left, err := core.Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(left.Items) != 1 || left.Items[0].Name != "opaque" {
		t.Errorf("left after deletecollection: %d, %v", len(left.Items), err)
	}
}
