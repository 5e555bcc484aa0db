// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	typedtenancyv1 "github.com/stoa-project/stoa/generated/clientset/versioned/typed/tenancy/v1"
	"github.com/stoa-project/stoa/stoatest"
)

// land is a server with clients of several people.
type land struct {
	t      *testing.T
	config *rest.Config
	kubernetes.Interface
}

func newLand(t *testing.T) *land {
	t.Helper()
	// Namespaces are labelled before there is the tenant, which goes before they do.
	config := stoatest.Start(t, stoatest.WithFlags("--disable-admission-plugins=Tenancy", "--controllers=*,-tenant-controller")).Config()
	config.QPS = -1
	l := &land{t, config, kubernetes.NewForConfigOrDie(config)}
	for _, name := range []string{"view", "admin"} { // a controller gives them their rules
		l.eventually(func() error {
			role, err := l.RbacV1().ClusterRoles().Get(t.Context(), name, metav1.GetOptions{})
			if err == nil && len(role.Rules) == 0 {
				err = fmt.Errorf("the cluster role %s has no rules", name)
			}
			return err
		})
	}
	return l
}

// as returns the configuration of a client for a user.
func (l *land) as(name string, groups ...string) *rest.Config {
	out := rest.CopyConfig(l.config)
	out.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: groups}
	return out
}

func (l *land) projects(name string, groups ...string) typedtenancyv1.ProjectInterface {
	return versioned.NewForConfigOrDie(l.as(name, groups...)).TenancyV1().Projects()
}

func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func (l *land) namespace(name string, labels map[string]string) {
	l.t.Helper()
	must[*corev1.Namespace](l.t)(l.CoreV1().Namespaces().Create(l.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{}))
}

// bind gives a role in a namespace, or a cluster role everywhere if that is empty, to
// subjects such as "user:ann", and returns what takes it back.
func (l *land) bind(namespace, role string, subjects ...string) func() {
	l.t.Helper()
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	name := strings.ReplaceAll(role+"."+strings.Join(subjects, "."), ":", ".")
	var all []rbacv1.Subject
	for _, s := range subjects {
		kind, name, _ := strings.Cut(s, ":")
		switch kind {
		case "user":
			all = append(all, rbacv1.Subject{Kind: "User", Name: name})
		case "group":
			all = append(all, rbacv1.Subject{Kind: "Group", Name: name})
		default:
			all = append(all, rbacv1.Subject{Kind: "ServiceAccount", Namespace: kind, Name: name})
		}
	}
	meta := metav1.ObjectMeta{Name: name}
	if namespace == "" {
		must[*rbacv1.ClusterRoleBinding](l.t)(l.RbacV1().ClusterRoleBindings().Create(l.t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: all}, metav1.CreateOptions{}))
		return func() {
			if err := l.RbacV1().ClusterRoleBindings().Delete(l.t.Context(), name, metav1.DeleteOptions{}); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	must[*rbacv1.RoleBinding](l.t)(l.RbacV1().RoleBindings(namespace).Create(l.t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: all}, metav1.CreateOptions{}))
	return func() {
		if err := l.RbacV1().RoleBindings(namespace).Delete(l.t.Context(), name, metav1.DeleteOptions{}); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *land) clusterRole(name string, rules ...rbacv1.PolicyRule) {
	l.t.Helper()
	must[*rbacv1.ClusterRole](l.t)(l.RbacV1().ClusterRoles().Create(l.t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{}))
}

func (l *land) tenant(name string, limit *int32, owners ...string) {
	l.t.Helper()
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.TenantSpec{Namespaces: tenancyv1.TenantNamespaces{Limit: limit}}}
	for _, owner := range owners {
		tenant.Spec.Owners = append(tenant.Spec.Owners, rbacv1.Subject{Kind: "User", Name: owner})
	}
	must[*tenancyv1.Tenant](l.t)(versioned.NewForConfigOrDie(l.config).TenancyV1().Tenants().Create(l.t.Context(), tenant, metav1.CreateOptions{}))
}

// mayCreate lets users create projects, and returns when the server has heard of that.
func (l *land) mayCreate(users ...string) {
	l.t.Helper()
	for _, name := range users {
		l.bind("", "stoa:project-creator", "user:"+name)
		l.eventually(func() error {
			_, err := l.projects(name).Create(l.t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "dry"}}, metav1.CreateOptions{DryRun: []string{"All"}})
			return err
		})
	}
}

// eventually does something until it has no error: who asks whether something is allowed
// hears of roles and bindings by watches.
func (l *land) eventually(f func() error) {
	l.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(l.t.Context(), 5*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		last = f()
		return last == nil, nil
	})
	if err != nil {
		l.t.Fatal(last)
	}
}

func names(list *tenancyv1.ProjectList) []string {
	out := []string{}
	for i := range list.Items {
		out = append(out, list.Items[i].Name)
	}
	return out
}

func (l *land) sees(want []string, name string, groups ...string) {
	l.t.Helper()
	list := must[*tenancyv1.ProjectList](l.t)(l.projects(name, groups...).List(l.t.Context(), metav1.ListOptions{}))
	if diff := cmp.Diff(want, names(list)); diff != "" {
		l.t.Errorf("%s sees (-want +got):\n%s", name, diff)
	}
}

func rule(verbs, resources string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: strings.Split(verbs, ","), APIGroups: []string{""}, Resources: strings.Split(resources, ","), ResourceNames: names}
}

// TestVisibleProjects reads after each write, and sees it.
func TestVisibleProjects(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	for _, name := range []string{"blue", "green", "red"} {
		l.namespace(name, map[string]string{"color": name})
	}
	l.namespace("theirs", map[string]string{"tenancy.stoa.dev/tenant": "team"})
	l.tenant("team", nil, "tom")
	l.clusterRole("nothing")
	l.clusterRole("pods", rule("get", "pods"))
	l.clusterRole("spaces", rule("get", "namespaces"))
	l.clusterRole("list", rule("list,watch", "namespaces"))
	l.clusterRole("one", rule("get", "namespaces", "red", "gone"))
	everything := []string{"blue", "default", "green", "kube-node-lease", "kube-public", "kube-system", "red", "theirs"}

	l.sees([]string{}, "ann")
	l.sees([]string{"theirs"}, "tom")
	l.sees(everything, "root", "system:masters")

	l.bind("blue", "pods", "user:ann", "group:dev", "default:robot", "bot:here")
	l.sees([]string{"blue"}, "ann")
	l.sees([]string{"blue"}, "bob", "dev")
	l.sees([]string{"blue"}, "system:serviceaccount:default:robot")
	l.sees([]string{}, "robot")

	l.bind("green", "nothing", "user:ann")
	l.bind("", "pods", "user:ann")
	l.bind("", "list", "user:ann")
	l.sees([]string{"blue"}, "ann") // neither an empty role nor a right to things everywhere counts
	unbind := l.bind("", "one", "user:ann")
	l.sees([]string{"blue", "red"}, "ann")
	unbind()
	l.sees([]string{"blue"}, "ann")
	unbind = l.bind("", "spaces", "group:dev")
	l.sees(everything, "bob", "dev")
	unbind()
	l.sees([]string{"blue"}, "bob", "dev")

	if _, err := l.projects("ann").Get(t.Context(), "blue", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	// What is not seen and what is not there are the same.
	for _, name := range []string{"red", "nowhere"} {
		_, err := l.projects("ann").Get(t.Context(), name, metav1.GetOptions{})
		if want := fmt.Sprintf("projects.tenancy.stoa.dev %q not found", name); err == nil || err.Error() != want {
			t.Errorf("get: %v, want %s", err, want)
		}
		_, err = l.projects("ann").Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"uid":"x","resourceVersion":"1"}}`), metav1.PatchOptions{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("patch: %v", err)
		}
		uid := types.UID("x")
		err = l.projects("ann").Delete(t.Context(), name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if !apierrors.IsNotFound(err) {
			t.Errorf("delete: %v", err)
		}
	}
}

// TestProjectLists pages, selects, and reads old versions.
func TestProjectLists(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	for i := range 5 {
		l.namespace(fmt.Sprint("mine-", i), map[string]string{"half": fmt.Sprint(i / 3)})
		l.namespace(fmt.Sprint("other-", i), nil)
		l.bind(fmt.Sprint("mine-", i), "view", "user:ann")
	}
	ann := l.projects("ann")
	first := must[*tenancyv1.ProjectList](t)(ann.List(t.Context(), metav1.ListOptions{Limit: 2}))
	if first.RemainingItemCount == nil || *first.RemainingItemCount != 3 {
		t.Errorf("remaining: %v, want 3", first.RemainingItemCount)
	}
	// The rest is of the same version, whatever happens meanwhile.
	l.namespace("mine-9", nil)
	l.bind("mine-9", "view", "user:ann")
	if err := l.RbacV1().RoleBindings("mine-3").Delete(t.Context(), "view.user.ann", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	all, page := names(first), first
	for page.Continue != "" {
		page = must[*tenancyv1.ProjectList](t)(ann.List(t.Context(), metav1.ListOptions{Limit: 2, Continue: page.Continue}))
		if page.ResourceVersion != first.ResourceVersion {
			t.Errorf("a page has version %s, the first %s", page.ResourceVersion, first.ResourceVersion)
		}
		all = append(all, names(page)...)
	}
	if diff := cmp.Diff([]string{"mine-0", "mine-1", "mine-2", "mine-3", "mine-4"}, all); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		name    string
		options metav1.ListOptions
		want    []string
		err     string
	}{
		{name: "label", options: metav1.ListOptions{LabelSelector: "half=1"}, want: []string{"mine-4"}},
		{name: "name", options: metav1.ListOptions{FieldSelector: "metadata.name=mine-1"}, want: []string{"mine-1"}},
		{name: "name of others", options: metav1.ListOptions{FieldSelector: "metadata.name=other-1"}, want: []string{}},
		{name: "phase", options: metav1.ListOptions{FieldSelector: "status.phase=Terminating"}, want: []string{}},
		{name: "tenant", options: metav1.ListOptions{FieldSelector: "spec.tenant!=,metadata.name!=mine-1"}, want: []string{}},
		{name: "exact", options: metav1.ListOptions{ResourceVersion: first.ResourceVersion, ResourceVersionMatch: "Exact"}, want: all},
		{name: "not older", options: metav1.ListOptions{ResourceVersion: first.ResourceVersion, ResourceVersionMatch: "NotOlderThan", LabelSelector: "half=0"}, want: []string{"mine-0", "mine-1", "mine-2"}},
		{name: "unknown field", options: metav1.ListOptions{FieldSelector: "spec.x=1"}, err: "field label not supported: spec.x"},
		{name: "too old", options: metav1.ListOptions{ResourceVersion: "1", ResourceVersionMatch: "Exact"}, err: "too old resource version: 1 ("},
		{name: "no token", options: metav1.ListOptions{Continue: "x"}, err: "invalid continue token: continue key is not valid"},
	} {
		list, err := ann.List(t.Context(), tc.options)
		switch {
		case tc.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.err)):
			t.Errorf("%s: %v, want %s", tc.name, err, tc.err)
		case tc.err == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.err == "":
			if diff := cmp.Diff(tc.want, names(list)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.name, diff)
			}
		}
	}
	partial := must[*metav1.PartialObjectMetadataList](t)(metadata.NewForConfigOrDie(l.as("ann")).Resource(schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1", Resource: "projects"}).List(t.Context(), metav1.ListOptions{LabelSelector: "half=1"}))
	if len(partial.Items) != 1 || partial.Items[0].Name != "mine-4" {
		t.Errorf("metadata: %v", partial.Items)
	}
}

// event is what a watch of a project sent.
type event struct {
	Type watch.EventType
	Name string
}

func take(t *testing.T, w watch.Interface, count int) []event {
	t.Helper()
	out := []event{}
	for len(out) < count {
		select {
		case e, ok := <-w.ResultChan():
			if !ok {
				t.Fatalf("the watch ended after %v", out)
			}
			p, ok := e.Object.(*tenancyv1.Project)
			if !ok {
				t.Fatalf("%s of %v", e.Type, e.Object)
			}
			out = append(out, event{e.Type, p.Name})
		case <-time.After(time.Minute):
			t.Fatalf("nothing came after %v", out)
		}
	}
	return out
}

// TestProjectWatch gains and loses access in all ways, and begins again in all ways.
func TestProjectWatch(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	l.clusterRole("part")
	ann := l.projects("ann", "dev")
	list := must[*tenancyv1.ProjectList](t)(ann.List(t.Context(), metav1.ListOptions{}))
	w := must[watch.Interface](t)(ann.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion}))
	defer w.Stop()
	labelled := must[watch.Interface](t)(ann.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion, LabelSelector: "on=yes"}))
	defer labelled.Stop()

	l.namespace("a", map[string]string{"on": "yes"})
	l.namespace("b", map[string]string{"tenancy.stoa.dev/tenant": "t"})
	l.namespace("c", nil)
	l.bind("a", "view", "user:ann")
	l.tenant("t", nil, "ann")
	l.bind("c", "part", "group:dev")
	label := func(name, value string) {
		t.Helper()
		must[*corev1.Namespace](t)(l.CoreV1().Namespaces().Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"on":`+value+`}}}`), metav1.PatchOptions{}))
	}
	must[*rbacv1.ClusterRole](t)(l.RbacV1().ClusterRoles().Update(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "part"}, Rules: []rbacv1.PolicyRule{rule("get", "pods")}}, metav1.UpdateOptions{}))
	label("a", `"no"`)
	label("a", `"yes"`)
	must[*tenancyv1.Tenant](t)(versioned.NewForConfigOrDie(l.config).TenancyV1().Tenants().Patch(t.Context(), "t", types.MergePatchType, []byte(`{"spec":{"owners":null}}`), metav1.PatchOptions{}))
	l.bind("", "cluster-admin", "group:dev")()
	if err := l.RbacV1().RoleBindings("a").Delete(t.Context(), "view.user.ann", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	systems := func(kind watch.EventType) []event {
		return []event{{kind, "default"}, {kind, "kube-node-lease"}, {kind, "kube-public"}, {kind, "kube-system"}}
	}
	want := []event{{watch.Added, "a"}, {watch.Added, "b"}, {watch.Added, "c"}, {watch.Modified, "a"}, {watch.Modified, "a"}, {watch.Deleted, "b"}, {watch.Added, "b"}}
	want = slices.Concat(want, systems(watch.Added), []event{{watch.Deleted, "b"}}, systems(watch.Deleted), []event{{watch.Deleted, "a"}})
	got := take(t, w, len(want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	want = []event{{watch.Added, "a"}, {watch.Deleted, "a"}, {watch.Added, "a"}, {watch.Deleted, "a"}}
	if diff := cmp.Diff(want, take(t, labelled, len(want))); diff != "" {
		t.Errorf("events of a selector (-want +got):\n%s", diff)
	}
	again := must[watch.Interface](t)(ann.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion}))
	defer again.Stop()
	if diff := cmp.Diff(got, take(t, again, len(got))); diff != "" {
		t.Errorf("events once more (-want +got):\n%s", diff)
	}
	yes := true
	initial := must[watch.Interface](t)(ann.Watch(t.Context(), metav1.ListOptions{SendInitialEvents: &yes, ResourceVersionMatch: "NotOlderThan", AllowWatchBookmarks: true}))
	defer initial.Stop()
	if diff := cmp.Diff([]event{{watch.Added, "c"}, {watch.Bookmark, ""}}, take(t, initial, 2)); diff != "" {
		t.Errorf("initial events (-want +got):\n%s", diff)
	}
	old := must[watch.Interface](t)(ann.Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1"}))
	defer old.Stop()
	if e := <-old.ResultChan(); e.Type != watch.Error || !apierrors.IsResourceExpired(apierrors.FromObject(e.Object)) {
		t.Errorf("a version that is too old: %v", e)
	}
}

// TestProjectLife creates, changes and deletes.
func TestProjectLife(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	ann, bob := l.projects("ann"), l.projects("bob")
	_, err := ann.Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{})
	if want := `projects.tenancy.stoa.dev is forbidden: User "ann" cannot create resource "projects" in API group "tenancy.stoa.dev" at the cluster scope`; err == nil || err.Error() != want {
		t.Errorf("without the right: %v, want %s", err, want)
	}
	l.mayCreate("ann", "bob")
	w := must[watch.Interface](t)(bob.Watch(t.Context(), metav1.ListOptions{}))
	defer w.Stop()
	made := must[*tenancyv1.Project](t)(ann.Create(t.Context(), &tenancyv1.Project{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}},
		Spec:       tenancyv1.ProjectSpec{DisplayName: "The Shop"},
	}, metav1.CreateOptions{}))
	l.sees([]string{"shop"}, "ann")
	mine := must[watch.Interface](t)(ann.Watch(t.Context(), metav1.ListOptions{ResourceVersion: made.ResourceVersion}))
	defer mine.Stop()
	namespace := must[*corev1.Namespace](t)(l.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{}))
	if namespace.UID != made.UID || namespace.Labels["a"] != "b" || namespace.Annotations["tenancy.stoa.dev/display-name"] != "The Shop" {
		t.Errorf("namespace: %v", namespace)
	}
	binding := must[*rbacv1.RoleBinding](t)(l.RbacV1().RoleBindings("shop").Get(t.Context(), "project-owner", metav1.GetOptions{}))
	if binding.RoleRef.Name != "admin" || binding.Subjects[0].Name != "ann" {
		t.Errorf("role binding: %v", binding)
	}
	for _, of := range []string{"shop", "kube-system"} {
		_, err = bob.Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: of}}, metav1.CreateOptions{})
		if want := fmt.Sprintf("projects.tenancy.stoa.dev %q already exists", of); err == nil || err.Error() != want {
			t.Errorf("a name that is taken: %v, want %s", err, want)
		}
	}
	l.bind("shop", "view", "user:bob")
	if diff := cmp.Diff([]event{{watch.Added, "shop"}}, take(t, w, 1)); diff != "" {
		t.Error(diff)
	}
	_, err = bob.Patch(t.Context(), "shop", types.MergePatchType, []byte(`{"spec":{"displayName":"x"}}`), metav1.PatchOptions{})
	if want := `projects.tenancy.stoa.dev "shop" is forbidden: user "bob" cannot update it: the verb "manage" for projects is missing in namespace "shop"`; err == nil || err.Error() != want {
		t.Errorf("not his: %v, want %s", err, want)
	}
	if err = bob.Delete(t.Context(), "shop", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("not his: %v", err)
	}
	l.eventually(func() error { // the authorizer hears of the role binding
		_, err := ann.Patch(t.Context(), "shop", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":null,"c":"d"}},"spec":{"displayName":"Shop"}}`), metav1.PatchOptions{})
		return err
	})
	made.Spec.DisplayName = "old"
	if _, err = ann.Update(t.Context(), made, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an old version: %v", err)
	}
	now := must[*tenancyv1.Project](t)(ann.Get(t.Context(), "shop", metav1.GetOptions{}))
	if now.Spec.DisplayName != "Shop" || !maps.Equal(now.Labels, map[string]string{"c": "d", "kubernetes.io/metadata.name": "shop"}) {
		t.Errorf("changed: %v", now)
	}
	projectMistakes(t, ann)
	if err := ann.Delete(t.Context(), "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	last := event{}
	for kinds := map[watch.EventType]bool{}; last.Type != watch.Deleted; kinds[last.Type] = true {
		last = take(t, mine, 1)[0]
		if last.Type == watch.Added {
			t.Errorf("%v after %v", last, kinds)
		}
	}
	if _, err := l.CoreV1().Namespaces().Get(t.Context(), "shop", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the project is gone, but its namespace is not: %v", err)
	}
}

func projectMistakes(t *testing.T, projects typedtenancyv1.ProjectInterface) {
	t.Helper()
	for patch, want := range map[string]string{
		`{"spec":{"tenant":"x"}}`: `spec.tenant: Invalid value: "x": field is immutable`,
		`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`: `metadata.labels[pod-security.kubernetes.io/enforce]: Forbidden: can only be changed on the namespace`,
		`{"metadata":{"labels":{"tenancy.stoa.dev/tenant":"x"}}}`:                     `metadata.labels[tenancy.stoa.dev/tenant]: Forbidden: can only be changed on the namespace`,
		`{"metadata":{"labels":{"kubernetes.io/metadata.name":null}}}`:                `metadata.labels[kubernetes.io/metadata.name]: Forbidden: can only be changed on the namespace`,
		`{"metadata":{"annotations":{"x":"y"}}}`:                                      `metadata.annotations[x]: Forbidden: can only be set on the namespace`,
		`{"metadata":{"finalizers":["x/y"]}}`:                                         `metadata.finalizers: Forbidden: can only be set on the namespace`,
		`{"spec":{"displayName":"` + strings.Repeat("x", 254) + `"}}`:                 `spec.displayName: Too long: may not be more than 253 bytes`,
	} {
		_, err := projects.Patch(t.Context(), "shop", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if want = `Project.tenancy.stoa.dev "shop" is invalid: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", patch, err, want)
		}
	}
}

// TestFailedProject leaves nothing behind when the owner role cannot be bound, and a
// service account can own a project.
func TestFailedProject(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	l.mayCreate("system:serviceaccount:default:robot")
	robot := l.projects("system:serviceaccount:default:robot")
	must[*tenancyv1.Project](t)(robot.Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{GenerateName: "r-"}}, metav1.CreateOptions{}))
	list := must[*tenancyv1.ProjectList](t)(robot.List(t.Context(), metav1.ListOptions{}))
	if len(list.Items) != 1 || !strings.HasPrefix(list.Items[0].Name, "r-") {
		t.Errorf("projects of a service account: %v", names(list))
	}
	// From now on no role binding can be made.
	must[*admissionregistrationv1.ValidatingWebhookConfiguration](t)(l.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), noRoleBindings(), metav1.CreateOptions{}))
	l.eventually(func() error {
		_, err := robot.Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}}, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), `give "system:serviceaccount:default:robot" the role "admin" in the project`) {
			return fmt.Errorf("without role bindings: %w", err)
		}
		return nil
	})
	l.eventually(func() error {
		for _, n := range must[*corev1.NamespaceList](t)(l.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})).Items {
			if _, err := l.RbacV1().RoleBindings(n.Name).Get(t.Context(), "project-owner", metav1.GetOptions{}); err != nil && strings.HasPrefix(n.Name, "x-") {
				return fmt.Errorf("%s was left without an owner: %w", n.Name, err)
			}
		}
		return nil
	})
}

// noRoleBindings is a webhook that nobody answers.
func noRoleBindings() *admissionregistrationv1.ValidatingWebhookConfiguration {
	none, nowhere := admissionregistrationv1.SideEffectClassNone, "https://127.0.0.1:1"
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "no-role-bindings"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "no.role.bindings", SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &nowhere},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{"CREATE"},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"rolebindings"}},
			}},
		}},
	}
}

// TestTenantLimit has a hundred people create at once.
func TestTenantLimit(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	limit := int32(7)
	l.tenant("team", &limit, "ann")
	l.mayCreate("ann", "bob")
	l.namespace("before", map[string]string{"tenancy.stoa.dev/tenant": "team"})
	errs := make(chan error)
	for i := range 100 {
		go func() {
			_, err := l.projects("ann").Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("p", i)}, Spec: tenancyv1.ProjectSpec{Tenant: "team"}}, metav1.CreateOptions{})
			errs <- err
		}()
	}
	made := 0
	for range 100 {
		switch err := <-errs; {
		case err == nil:
			made++
		case !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), `the tenant "team" has all the 7 namespaces that it may have`):
			t.Error(err)
		}
	}
	namespaces := must[*corev1.NamespaceList](t)(l.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{LabelSelector: "tenancy.stoa.dev/tenant=team"}))
	if made != 6 || len(namespaces.Items) != 7 {
		t.Errorf("%d were created, and there are %d, want 6 and 7", made, len(namespaces.Items))
	}
	tenant := must[*tenancyv1.Tenant](t)(versioned.NewForConfigOrDie(l.config).TenancyV1().Tenants().Get(t.Context(), "team", metav1.GetOptions{}))
	if len(tenant.Annotations) > 0 {
		t.Errorf("left on the tenant: %v", tenant.Annotations)
	}
	for _, of := range []string{"team", "nobody"} { // one of others and one that is not there
		_, err := l.projects("bob").Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "bobs"}, Spec: tenancyv1.ProjectSpec{Tenant: of}}, metav1.CreateOptions{})
		if want := fmt.Sprintf(`projects.tenancy.stoa.dev "bobs" is forbidden: user "bob" does not own the tenant %q`, of); err == nil || err.Error() != want {
			t.Errorf("not an owner: %v, want %s", err, want)
		}
	}
}
