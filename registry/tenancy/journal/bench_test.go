// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/registry/tenancy/journal"
)

// large is a history with 10 000 namespaces and five role bindings in each; the user u0
// sees twenty of them, as do 1 999 others.
func large(b *testing.B) *history {
	b.Helper()
	h := newHistory()
	h.put(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}})
	for i := range 10_000 {
		namespace := fmt.Sprint("n", i)
		h.put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		for k := range 5 {
			h.put(&rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("b", k)},
				RoleRef:    rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"},
				Subjects:   []rbacv1.Subject{{Kind: "User", Name: fmt.Sprint("u", (5*i+k)%2500)}},
			})
		}
	}
	return h
}

func one(i int) journal.Who {
	return journal.NewWho(&user.DefaultInfo{Name: fmt.Sprint("u", i), Groups: []string{"system:authenticated"}})
}

// BenchmarkBegin is the first use with 10 000 namespaces and 50 000 bindings.
func BenchmarkBegin(b *testing.B) {
	h := large(b)
	b.ReportAllocs()
	for b.Loop() {
		j := journal.New(journal.Config{Sources: h.sources()})
		if _, _, err := j.List(b.Context(), one(0), journal.Freshness{Any: true}); err != nil {
			b.Fatal(err)
		}
		j.Close()
	}
}

// BenchmarkList lists 20 of 10 000.
func BenchmarkList(b *testing.B) {
	j := journal.New(journal.Config{Sources: large(b).sources()})
	defer j.Close()
	if _, _, err := j.List(b.Context(), one(0), journal.Freshness{}); err != nil { // it begins
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if items, _, err := j.List(b.Context(), one(0), journal.Freshness{Any: true}); err != nil || len(items) != 20 {
			b.Fatal(len(items), err)
		}
	}
}

// BenchmarkChange gives and takes access to one of 1 000 watchers and waits for what it
// is sent. The sources of the test are late now and then.
func BenchmarkChange(b *testing.B) {
	h := large(b)
	j := journal.New(journal.Config{Sources: h.sources()})
	defer j.Close()
	_, revision, err := j.List(b.Context(), one(0), journal.Freshness{Any: true})
	if err != nil {
		b.Fatal(err)
	}
	var first watch.Interface
	for i := range 1000 {
		w, err := j.Watch(b.Context(), one(i), journal.WatchOptions{From: revision})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(w.Stop)
		if i == 0 {
			first = w
		}
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n1", Name: "bench"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{Kind: "User", Name: "u0"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		h.put(binding)
		<-first.ResultChan()
		h.remove(binding)
		<-first.ResultChan()
	}
}
