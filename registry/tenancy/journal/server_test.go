// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

const (
	// mark is a namespace that everybody sees, and seq its label that is written when the
	// others are quiet: who has seen that has seen all.
	mark, seq = "mark", "seq"
	// patience is how long it may take until all is quiet. Controllers work for a while,
	// and clients whose servers were away wait before they come again.
	patience = 3 * time.Minute
)

// rounds is how often everything changes and the servers restart; STOA_MODEL_ROUNDS is
// another number.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("STOA_MODEL_ROUNDS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("STOA_MODEL_ROUNDS: %v", err)
	}
	return n
}

func patch(content map[string]any) []byte {
	out, err := json.Marshal(content)
	if err != nil {
		panic(err) // maps and strings
	}
	return out
}

// TestInformers has the informers of several people follow two servers on one etcd, while
// many write all that projects depend on, servers and etcd restart, connections are cut
// and etcd is compacted. Whenever all is quiet the informers have what is true, and so
// have lists of both servers.
func TestInformers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts servers")
	}
	c := newCountry(t)
	ctx, cancel := context.WithCancel(t.Context())
	admin := c.clients(administrator())
	found(t, admin)
	as := map[string]clients{}
	var followers []*follower
	var running sync.WaitGroup
	for i, p := range people() {
		as[p.name] = c.clients(p)
		for k, selector := range []string{"", "x=1"} {
			f := follow(p, as[p.name].tenancy.TenancyV1().Projects(), selector, (i+k)%2 == 0)
			running.Go(func() { f.informer.RunWithContext(ctx) })
			followers = append(followers, f)
		}
	}
	defer running.Wait()
	defer cancel()
	disasters := []func() error{
		func() error { return c.compact(ctx) },
		func() error { c.hangUp(); return nil },
		func() error { c.restart(rand.IntN(2)); return nil },
		func() error { c.restart(0, 1); return nil },
		func() error { c.restartStore(); return nil },
	}
	for round := range rounds(t) {
		var writers sync.WaitGroup
		for i := range 4 {
			w := &writer{admin, as}
			writers.Go(func() {
				for n := range 50 {
					if err := w.write(ctx); err != nil {
						t.Error(err)
					}
					if i == 0 && n == 10 { // most is written afterwards: it must not be forgotten at once
						if err := disasters[round%len(disasters)](); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		writers.Wait()
		settle(ctx, t, admin, followers, as)
	}
	events := 0
	for _, f := range followers {
		events += f.events
	}
	t.Logf("%d events in %d informers", events, len(followers))
}

// found makes what is there from the beginning.
func found(t *testing.T, admin clients) {
	t.Helper()
	all := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:authenticated"}}
	ref := func(role string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	}
	_, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: mark, Labels: map[string]string{"x": "1"}}}, metav1.CreateOptions{})
	_, err2 := admin.RbacV1().RoleBindings(mark).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: mark}, RoleRef: ref("view"), Subjects: all}, metav1.CreateOptions{})
	_, err3 := admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: mark}, RoleRef: ref("stoa:project-creator"), Subjects: all}, metav1.CreateOptions{})
	_, err4 := admin.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta:      metav1.ObjectMeta{Name: sum},
		AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{sum: "yes"}}}},
	}, metav1.CreateOptions{})
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
}

// settle waits until nothing changes any more, and compares what is known with what is
// true then.
func settle(ctx context.Context, t *testing.T, admin clients, followers []*follower, as map[string]clients) {
	t.Helper()
	var all *truth
	why := ""
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		var err error
		if all, why, err = read(ctx, admin); err != nil || why != "" {
			why = fmt.Sprint(why, err)
			return false, nil
		}
		now := strconv.FormatInt(time.Now().UnixNano(), 10)
		if _, err = admin.CoreV1().Namespaces().Patch(ctx, mark, types.MergePatchType, patch(map[string]any{"metadata": map[string]any{"labels": map[string]any{seq: now}}}), metav1.PatchOptions{}); err != nil {
			why = err.Error()
			return false, nil
		}
		if err := marked(ctx, followers, now); err != nil {
			return false, err
		}
		again, _, err := read(ctx, admin)
		why = fmt.Sprint("objects change, ", err)
		return err == nil && maps.Equal(all.versions(), again.versions()), nil
	})
	if err != nil {
		t.Fatalf("it is not quiet: %s: %v", why, err)
	}
	for _, f := range followers {
		f.compare(t, all)
	}
	for _, p := range people() {
		compareLists(ctx, t, p, as[p.name], all)
	}
}

// marked waits until the mark is in all stores with a number.
func marked(ctx context.Context, followers []*follower, number string) error {
	for _, f := range followers {
		err := wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, patience, true, func(context.Context) (bool, error) {
			p := f.get(mark)
			return p != nil && p.Labels[seq] == number, nil
		})
		if err != nil {
			return fmt.Errorf("the informer of %s with selector %q does not follow: %w", f.name, f.selector, err)
		}
	}
	return nil
}

// read reads all objects, and says what is not quiet yet.
func read(ctx context.Context, admin clients) (*truth, string, error) {
	out, busy := newTruth(), ""
	lists := []func() (runtime.Object, error){
		func() (runtime.Object, error) { return admin.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}) },
		func() (runtime.Object, error) { return admin.RbacV1().RoleBindings("").List(ctx, metav1.ListOptions{}) },
		func() (runtime.Object, error) {
			return admin.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{})
		},
		func() (runtime.Object, error) { return admin.RbacV1().Roles("").List(ctx, metav1.ListOptions{}) },
		func() (runtime.Object, error) { return admin.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{}) },
		func() (runtime.Object, error) {
			return admin.tenancy.TenancyV1().Tenants().List(ctx, metav1.ListOptions{})
		},
	}
	for _, list := range lists {
		objects, err := list()
		if err != nil {
			return nil, "", err
		}
		err = meta.EachListItem(objects, func(item runtime.Object) error {
			obj := item.(object)
			if n, ok := obj.(*corev1.Namespace); ok && n.DeletionTimestamp != nil {
				busy = n.Name + " is ending"
			}
			if _, ends := obj.GetAnnotations()[tenancy.ExpiresAtAnnotation]; ends {
				busy = obj.GetName() + " in " + obj.GetNamespace() + " is not deleted"
			}
			if of, ok := obj.(*tenancyv1.Tenant); ok {
				obj = &tenancy.Tenant{ObjectMeta: of.ObjectMeta, Spec: tenancy.TenantSpec{Owners: of.Spec.Owners}}
			}
			_, key := keyOf(obj)
			out.objects[key] = obj
			return nil
		})
		if err != nil {
			return nil, "", err
		}
	}
	return out, busy, nil
}

// versions are those of all objects but the mark.
func (t *truth) versions() map[string]string {
	out := map[string]string{}
	for key, obj := range t.objects {
		if obj.GetName() != mark {
			out[key] = obj.GetResourceVersion()
		}
	}
	return out
}

// projectOf is what somebody sees of a namespace.
type projectOf struct{ uid, x, tenant, display, phase string }

func describe(p *tenancyv1.Project) projectOf {
	return projectOf{string(p.UID), p.Labels["x"], p.Spec.Tenant, p.Spec.DisplayName, string(p.Status.Phase)}
}

// wanted are the projects that somebody sees, and the versions of their namespaces.
func (t *truth) wanted(p person, selected bool) (projects map[string]projectOf, versions map[string]string) {
	projects, versions = map[string]projectOf{}, map[string]string{}
	p.groups = append(slices.Clone(p.groups), "system:authenticated")
	for name := range t.visible(p) {
		_, key := keyOf(namespaceNamed(name))
		n := t.objects[key]
		if labels := n.GetLabels(); !selected || labels["x"] == "1" {
			versions[name] = n.GetResourceVersion()
			projects[name] = projectOf{string(n.GetUID()), labels["x"], labels[tenancy.TenantLabel], n.GetAnnotations()[tenancy.DisplayNameAnnotation], "Active"}
		}
	}
	return projects, versions
}

// compare compares the store of an informer with what is true.
func (f *follower) compare(t *testing.T, all *truth) {
	t.Helper()
	want, versions := all.wanted(f.person, f.selector != "")
	got := map[string]projectOf{}
	for _, obj := range f.informer.GetStore().List() {
		p := obj.(*tenancyv1.Project)
		got[p.Name] = describe(p)
		has, err := strconv.ParseUint(p.ResourceVersion, 10, 64)
		if least, err2 := strconv.ParseUint(versions[p.Name], 10, 64); p.Name != mark && (err != nil || err2 != nil || has < least) {
			t.Errorf("%s has version %s of %s, which has %s", f.name, p.ResourceVersion, p.Name, versions[p.Name])
		}
	}
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(projectOf{})); diff != "" {
		t.Errorf("the informer of %s with selector %q (-want +got):\n%s", f.name, f.selector, diff)
	}
	for _, err := range f.mistakes() {
		t.Errorf("the informer of %s with selector %q: %v", f.name, f.selector, err)
	}
}

// compareLists compares lists, whole and in pages, and gets with what is true.
func compareLists(ctx context.Context, t *testing.T, p person, as clients, all *truth) {
	t.Helper()
	want, versions := all.wanted(p, false)
	api := as.tenancy.TenancyV1().Projects()
	for _, options := range []metav1.ListOptions{{}, {Limit: 2}} {
		got := map[string]projectOf{}
		for first := true; first || options.Continue != ""; first = false {
			list, err := api.List(ctx, options)
			if err != nil {
				t.Errorf("%s lists: %v", p.name, err)
				return
			}
			for i := range list.Items {
				one := &list.Items[i]
				got[one.Name] = describe(one)
				if one.Name != mark && one.ResourceVersion != versions[one.Name] {
					t.Errorf("%s lists version %s of %s, which has %s", p.name, one.ResourceVersion, one.Name, versions[one.Name])
				}
			}
			options.Continue = list.Continue
		}
		if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(projectOf{})); diff != "" {
			t.Errorf("%s lists with %v (-want +got):\n%s", p.name, options, diff)
		}
	}
	for i := range 8 {
		name := fmt.Sprint("n", i)
		_, sees := want[name]
		if _, err := api.Get(ctx, name, metav1.GetOptions{}); sees && err != nil || !sees && !apierrors.IsNotFound(err) {
			t.Errorf("%s gets %s, which he sees: %t: %v", p.name, name, sees, err)
		}
	}
}
