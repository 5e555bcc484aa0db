// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
	tenancylisters "github.com/stoa-project/stoa/generated/listers/tenancy/v1"
)

// creators lets users make projects.
func (h *hostCluster) creators(t *testing.T, users ...string) {
	t.Helper()
	const name = "project-creators"
	client := h.admin(t).RbacV1()
	if _, err := client.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"tenancy.stoa.dev"}, Resources: []string{"projects"}, Verbs: []string{"create"}},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}}
	for _, user := range users {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user})
	}
	if _, err := client.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func project(name, tenant string) *tenancyv1.Project {
	return &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.ProjectSpec{Tenant: tenant}}
}

// follow has an informer of a user's projects, as dashboards have it.
func follow(t *testing.T, client versioned.Interface) tenancylisters.ProjectLister {
	t.Helper()
	factory := externalversions.NewSharedInformerFactory(client, 0)
	lister := factory.Tenancy().V1().Projects().Lister()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() {
		stop()
		factory.Shutdown()
	})
	factory.StartWithContext(ctx)
	return lister
}

// shows waits until a lister has just these projects.
func shows(t *testing.T, lister tenancylisters.ProjectLister, want ...string) {
	t.Helper()
	eventually(t, func() string {
		all, err := lister.List(labels.Everything())
		var names []string
		for _, p := range all {
			names = append(names, p.Name)
		}
		slices.Sort(names)
		if err != nil || !slices.Equal(names, want) {
			return "the informer has " + strings.Join(names, ",") + text(err)
		}
		return ""
	})
}

// wantProjects waits until a watch has told of these projects.
func wantProjects(t *testing.T, w watch.Interface, want ...string) {
	t.Helper()
	timeout := time.After(patience)
	for len(want) > 0 {
		select {
		case event := <-w.ResultChan():
			p, ok := event.Object.(*tenancyv1.Project)
			if !ok || event.Type != watch.Added {
				t.Fatalf("the watch got %v, lacks %q", event, want)
			}
			want = slices.DeleteFunc(want, func(name string) bool { return name == p.Name })
		case <-timeout:
			t.Fatalf("the watch lacks %q", want)
		}
	}
}

// TestAggregatedProjects makes, changes and deletes projects in the host, and shows each
// user those that are open to him there, as that changes.
func TestAggregatedProjects(t *testing.T) {
	t.Parallel()
	h, _ := newBehind(t)
	h.creators(t, "ann", "carl")
	cluster := h.admin(t)
	ann, carl := tenancyAs(t, h.Server, "ann").TenancyV1().Projects(), tenancyAs(t, h.Server, "carl").TenancyV1().Projects()
	var made *tenancyv1.Project
	eventually(t, func() (failure string) {
		var err error
		made, err = ann.Create(t.Context(), project("shop", ""), metav1.CreateOptions{})
		return text(err)
	})
	if got, err := ann.Get(t.Context(), "shop", metav1.GetOptions{ResourceVersion: made.ResourceVersion}); err != nil || got.UID != made.UID {
		t.Errorf("made %v, has %v, %v", made, got, err)
	}
	if list, err := ann.List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 1 {
		t.Errorf("ann lists %v, %v", list, err)
	}
	await(t, "her permission", mayList(impersonate(t, h.Server, "ann"), "shop"))
	if namespace, err := cluster.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{}); err != nil || namespace.UID != made.UID {
		t.Errorf("namespace %v, %v", namespace, err)
	}
	if _, err := tenancyAs(t, h.Server, "eve").TenancyV1().Projects().Create(t.Context(), project("hers", ""), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("who may not makes one: %v", err)
	}

	eve := follow(t, tenancyAs(t, h.Server, "eve"))
	binding := bindingOf("view-eve", "view", "eve")
	for range 2 {
		if _, err := cluster.RbacV1().RoleBindings("shop").Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		shows(t, eve, "shop")
		if err := cluster.RbacV1().RoleBindings("shop").Delete(t.Context(), binding.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		shows(t, eve)
	}
	if _, err := tenancyAs(t, h.Server, "eve").TenancyV1().Projects().Get(t.Context(), "shop", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("who has lost it gets it: %v", err)
	}

	named := []byte(`{"spec":{"displayName":"The shop"},"metadata":{"labels":{"stage":"test"}}}`)
	if _, err := ann.Patch(t.Context(), "shop", types.MergePatchType, named, metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
	namespace, err := cluster.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil || namespace.Annotations[tenancy.DisplayNameAnnotation] != "The shop" || namespace.Labels["stage"] != "test" {
		t.Errorf("namespace %v, %v", namespace, err)
	}

	// A tenant opens its namespaces to its owners, and has no more than it may.
	blue, limit := tenant("blue"), int32(2)
	blue.Spec.Owners[0].Name, blue.Spec.Namespaces.Limit = "carl", &limit
	tenants := tenancyAs(t, h.Server, "").TenancyV1().Tenants()
	if _, err := tenants.Create(t.Context(), blue, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	his := follow(t, tenancyAs(t, h.Server, "carl"))
	var made2 atomic.Int32
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		all.Go(func() {
			switch _, err := carl.Create(t.Context(), project("blue-"+name, "blue"), metav1.CreateOptions{}); {
			case err == nil:
				made2.Add(1)
			case !apierrors.IsForbidden(err):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := made2.Load(); got != 2 {
		t.Errorf("%d projects of a tenant that may have 2", got)
	}
	if _, err := ann.Create(t.Context(), project("green", "blue"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("who does not own the tenant makes one: %v", err)
	}
	list, err := carl.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 2 {
		t.Fatalf("carl lists %v, %v", list, err)
	}
	shows(t, his, list.Items[0].Name, list.Items[1].Name)
	patch := func(what string) {
		t.Helper()
		if _, err := tenants.Patch(t.Context(), "blue", types.MergePatchType, []byte(what), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	patch(`{"spec":{"suspended":true}}`)
	if err := carl.Delete(t.Context(), list.Items[0].Name, metav1.DeleteOptions{}); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `the tenant "blue" is suspended`) {
		t.Errorf("a suspended tenant deletes: %v", err)
	}
	patch(`{"spec":{"suspended":false}}`)
	if err := carl.Delete(t.Context(), list.Items[0].Name, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	shows(t, his, list.Items[1].Name)
	if err := ann.Delete(t.Context(), "shop", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	wantGone(t, h.Server, "shop")
	if list, err := ann.List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 0 {
		t.Errorf("ann lists %v, %v", list, err)
	}
}

// TestAggregatedProjectsOutage restarts the server and the host under somebody who
// follows his projects. While the host is away he goes on reading them.
func TestAggregatedProjectsOutage(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t)
	for _, name := range []string{"one", "two", "three"} {
		h.namespace(t, name, "")
	}
	bindAt := func(namespace string) {
		t.Helper()
		if _, err := h.admin(t).RbacV1().RoleBindings(namespace).Create(t.Context(), bindingOf("view-ann", "view", "ann"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	bindAt("one")
	direct := versioned.NewForConfigOrDie(directly(t, b.Server, b.dir, h.as(t, "ann")))
	projects := direct.TenancyV1().Projects()
	names := func(want string) {
		t.Helper()
		eventually(t, func() string {
			list, err := projects.List(t.Context(), metav1.ListOptions{})
			if err != nil {
				return err.Error()
			}
			var names []string
			for _, p := range list.Items {
				names = append(names, p.Name)
			}
			if got := strings.Join(names, " "); got != want {
				return "has " + got
			}
			return ""
		})
	}
	ann := follow(t, direct)
	shows(t, ann, "one")
	names("one")

	b.Stop()
	bindAt("two")
	b.start(t)
	shows(t, ann, "one", "two")
	names("one two")

	w, err := projects.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	wantProjects(t, w, "one", "two")
	h.Stop()
	names("one two")
	eventually(t, func() string { // an answer is remembered
		if _, err := projects.Create(t.Context(), project("four", ""), metav1.CreateOptions{}); !apierrors.IsInternalError(err) {
			return "a write while the host is away: " + text(err)
		}
		return ""
	})
	select {
	case event, open := <-w.ResultChan():
		t.Errorf("the watch got %v, %t", event, open)
	default:
	}
	h.start(t)
	bindAt("three")
	shows(t, ann, "one", "three", "two")
	names("one three two")
}

// TestAggregatedAudit has the host's audit log tell by one ID who made a project, and
// what the server wrote for that.
func TestAggregatedAudit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy, log := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata, verbs: [create]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, _ := newBehind(t, "--audit-policy-file="+policy, "--audit-log-path="+log, "--audit-log-mode=blocking")
	h.creators(t, "ann")
	eventually(t, func() string {
		_, err := tenancyAs(t, h.Server, "ann").TenancyV1().Projects().Create(t.Context(), project("told", ""), metav1.CreateOptions{})
		return text(err)
	})
	eventually(t, func() string {
		content, err := os.ReadFile(log)
		if err != nil {
			return err.Error()
		}
		by := map[string][]string{}
		for line := range strings.Lines(string(content)) {
			for _, what := range []string{`"resource":"projects"`, `"resource":"namespaces","name":"told"`, `"resource":"rolebindings","namespace":"told","name":"project-owner"`} {
				if _, id, ok := strings.Cut(line, `"auditID":"`); ok && strings.Contains(line, what) && strings.Contains(line, `"code":201`) {
					id, _, _ = strings.Cut(id, `"`)
					by[id] = append(by[id], what)
				}
			}
		}
		for _, told := range by {
			if len(told) == 3 {
				return ""
			}
		}
		return "the log has " + string(content)
	})
}

// TestAggregatedRestored puts the host back to an older state, as from a backup. Who follows
// his projects then has those of that state.
func TestAggregatedRestored(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t)
	add := func(name string) {
		t.Helper()
		h.namespace(t, name, "")
		if _, err := h.admin(t).RbacV1().RoleBindings(name).Create(t.Context(), bindingOf("view-ann", "view", "ann"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ann := follow(t, versioned.NewForConfigOrDie(directly(t, b.Server, b.dir, h.as(t, "ann"))))
	add("old")
	shows(t, ann, "old")
	h.Stop()
	data, backup := filepath.Join(h.dir, "etcd"), filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	h.start(t)
	add("lost")
	shows(t, ann, "lost", "old")
	for i := range 300 { // more than a start writes
		if _, err := h.admin(t).CoreV1().Namespaces().Patch(t.Context(), "lost", types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"x":"%d"}}}`, i), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	h.Stop()
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, data); err != nil {
		t.Fatal(err)
	}
	h.start(t)
	shows(t, ann, "old")
	add("new")
	shows(t, ann, "new", "old")
}
