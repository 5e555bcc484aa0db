// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/tenancy/journal"
)

// writes is how many writes the model makes; STOA_MODEL_WRITES is another number.
func writes(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("STOA_MODEL_WRITES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("STOA_MODEL_WRITES: %v", err)
		}
		return n
	}
	return 1500
}

func people() []person {
	return []person{
		{"ann", nil}, {"bob", []string{"dev"}}, {"cid", []string{"dev", "ops"}}, {"dan", []string{"ops"}},
		{"system:serviceaccount:n1:robot", []string{"system:serviceaccounts"}}, {"root", []string{"system:masters"}},
	}
}

func pick[T any](from ...T) T { return from[rand.IntN(len(from))] }

func anySubject() rbacv1.Subject {
	return pick(
		rbacv1.Subject{Kind: "User", Name: pick("ann", "bob", "cid", "dan", "nobody")},
		rbacv1.Subject{Kind: "Group", Name: pick("dev", "ops", "none")},
		rbacv1.Subject{Kind: "ServiceAccount", Namespace: pick("", "n1"), Name: "robot"},
	)
}

func anySubjects() []rbacv1.Subject {
	var out []rbacv1.Subject
	for range rand.IntN(3) {
		out = append(out, anySubject())
	}
	return out
}

func anyRules() []rbacv1.PolicyRule {
	pods := rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}
	some := rbacv1.PolicyRule{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{pick("n1", "n2"), pick("n3", "n4")}}
	all := rbacv1.PolicyRule{Verbs: []string{pick("*", "get", "list")}, APIGroups: []string{""}, Resources: []string{"namespaces", "pods"}}
	return pick(nil, []rbacv1.PolicyRule{pods}, []rbacv1.PolicyRule{pods, some}, []rbacv1.PolicyRule{all})
}

// act writes something.
func act(h *history) {
	namespace := fmt.Sprint("n", rand.IntN(8))
	name := pick("a", "b", "c")
	at := metav1.ObjectMeta{Namespace: namespace, Name: name}
	switch rand.IntN(16) {
	case 0, 1, 2:
		changeNamespace(h, namespace)
	case 3:
		h.put(&rbacv1.Role{ObjectMeta: at, Rules: anyRules()})
	case 4:
		h.remove(&rbacv1.Role{ObjectMeta: at})
	case 5:
		h.put(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: anyRules()})
	case 6:
		h.remove(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}})
	case 7, 8, 9:
		h.put(&rbacv1.RoleBinding{ObjectMeta: at, RoleRef: rbacv1.RoleRef{Kind: pick("Role", "ClusterRole"), Name: pick("a", "b", "c")}, Subjects: anySubjects()})
	case 10:
		h.remove(&rbacv1.RoleBinding{ObjectMeta: at})
	case 11:
		h.put(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: pick("a", "b", "c")}, Subjects: anySubjects()})
	case 12:
		h.remove(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}})
	case 13:
		h.put(&tenancy.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancy.TenantSpec{Owners: anySubjects()}})
	case 14:
		h.remove(&tenancy.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}})
	case 15:
		h.other()
	}
}

// changeNamespace moves a namespace on in its life.
func changeNamespace(h *history, name string) {
	old, _ := h.get(namespaceNamed(name)).(*corev1.Namespace)
	switch {
	case old == nil:
		old = namespaceNamed(name)
	case old.DeletionTimestamp != nil:
		if rand.IntN(2) == 0 {
			h.remove(old)
		}
		return
	case h.sudden && rand.IntN(4) == 0:
		h.remove(old)
		return
	default:
		old = old.DeepCopy()
	}
	old.Labels = map[string]string{"x": strconv.Itoa(rand.IntN(3))}
	if tenant := pick("", "a", "b"); tenant != "" {
		old.Labels["tenancy.stoa.dev/tenant"] = tenant
	}
	if !h.sudden && rand.IntN(4) == 0 {
		now := metav1.Now()
		old.DeletionTimestamp = &now
	}
	h.put(old)
}

// moments returns what everybody sees at every revision.
func (h *history) moments(all []person) []map[string]map[string]seen {
	out := make([]map[string]map[string]seen, h.revision+1)
	t, i := newTruth(), 0
	for revision := range out {
		for ; i < len(h.written) && h.written[i].revision == uint64(revision); i++ {
			t.apply(h.written[i])
		}
		out[revision] = map[string]map[string]seen{}
		for _, p := range all {
			out[revision][p.name] = t.visible(p)
		}
	}
	return out
}

// TestModel has people watch, through reconnects, while everything changes and the
// sources are late, each by as much as it likes; and compares what they got, event by
// event, with what they saw at each revision.
func TestModel(t *testing.T) {
	t.Parallel()
	t.Run("namespaces that end", func(t *testing.T) { model(t, false) })
	// What was there before a namespace began to end is only known to who was there.
	t.Run("compactions", func(t *testing.T) { model(t, true) })
}

func model(t *testing.T, compacts bool) {
	t.Parallel()
	h := newHistory()
	h.sudden = true
	for range 100 {
		act(h)
	}
	h.sudden = compacts
	j := journal.New(journal.Config{Sources: h.sources(), Window: 500, BookmarkEvery: 3 * time.Millisecond})
	defer j.Close()
	if _, _, err := j.List(t.Context(), nil, journal.Freshness{}); err != nil { // it begins
		t.Fatal(err)
	}
	var last atomic.Uint64 // once all is written
	var watching, writing sync.WaitGroup
	var watchers []*observer
	for i, p := range append(people(), people()...) {
		w := &observer{person: p, journal: j, selects: i >= len(people()), last: &last}
		watchers = append(watchers, w)
		watching.Go(func() { w.run(t.Context()) })
	}
	total := writes(t)
	for range 3 {
		writing.Go(func() {
			for range total / 3 {
				act(h)
				switch rand.IntN(300) {
				case 0:
					h.breakWatches()
				case 1:
					if !compacts {
						continue
					}
					h.compact(pick(resources()...))
				}
				if rand.IntN(20) == 0 { // let the others come after
					_, _, _ = j.List(t.Context(), nil, journal.Freshness{})
				}
			}
		})
	}
	writing.Wait()
	last.Store(h.revision + 1)
	h.other() // after which nobody waits in vain for a bookmark that he has
	watching.Wait()
	moments := h.moments(people())
	events := 0 // one whose watches are all too old has none
	for _, w := range watchers {
		events += w.check(t, moments)
	}
	if events == 0 {
		t.Error("nobody received an event")
	}
}
