// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
	"github.com/stoa-project/stoa/stoatest"
)

// rounds is how often everything changes and the server restarts; STOA_MODEL_ROUNDS is
// another number.
func rounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("STOA_MODEL_ROUNDS"))
	if err != nil {
		return 2
	}
	return n
}

// country is a server that is restarted now and then.
type country struct {
	t      *testing.T
	dir    string
	server *stoatest.Server
	config *rest.Config
	kubernetes.Interface
	tenancy versioned.Interface
}

func newCountry(t *testing.T) *country {
	t.Helper()
	c := &country{t: t, dir: t.TempDir()}
	c.server = stoatest.Start(t, stoatest.WithDataDir(c.dir))
	c.config = c.server.Config()
	c.config.QPS = -1
	c.Interface, c.tenancy = kubernetes.NewForConfigOrDie(c.config), versioned.NewForConfigOrDie(c.config)
	return c
}

// restart stops the server and starts it at the same address.
func (c *country) restart() {
	c.t.Helper()
	at, err := url.Parse(c.server.URL())
	if err != nil {
		c.t.Fatal(err)
	}
	c.server.Stop()
	c.server = stoatest.Start(c.t, stoatest.WithDataDir(c.dir), stoatest.WithFlags("--secure-port="+at.Port()))
}

// act writes something; that it is there already, or not any more, is no mistake.
func (c *country) act(ctx context.Context) error {
	namespace, name := fmt.Sprint("n", rand.IntN(6)), pick("a", "b")
	at := metav1.ObjectMeta{Namespace: namespace, Name: name}
	var err error
	switch rand.IntN(12) {
	case 0, 1:
		labels := map[string]string{"x": strconv.Itoa(rand.IntN(3)), tenancy.TenantLabel: pick("a", "b", "c")}
		_, err = c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}}, metav1.CreateOptions{})
	case 2:
		_, err = c.CoreV1().Namespaces().Patch(ctx, namespace, types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"x":"%d"}}}`, rand.IntN(3)), metav1.PatchOptions{})
	case 3:
		if rand.IntN(3) == 0 {
			err = c.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{})
		}
	case 4:
		_, err = c.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: anyRules()}, metav1.CreateOptions{})
	case 5:
		err = c.RbacV1().ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{})
	case 6, 7:
		_, err = c.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: at, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: pick("a", "b", "view")}, Subjects: served(anySubjects())}, metav1.CreateOptions{})
	case 8:
		err = c.RbacV1().RoleBindings(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	case 9:
		_, err = c.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: pick("a", "b")}, Subjects: served(anySubjects())}, metav1.CreateOptions{})
	case 10:
		err = c.RbacV1().ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{})
	case 11:
		tenants := c.tenancy.TenancyV1().Tenants()
		if err = tenants.Delete(ctx, name, metav1.DeleteOptions{}); err == nil || apierrors.IsNotFound(err) {
			_, err = tenants.Create(ctx, &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.TenantSpec{Owners: served(anySubjects())}}, metav1.CreateOptions{})
		}
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// served makes subjects what a server takes.
func served(all []rbacv1.Subject) []rbacv1.Subject {
	for i := range all {
		if all[i].Kind == "ServiceAccount" {
			all[i].Namespace = "n1"
		}
	}
	return all
}

// truth reads all objects, when no namespace is about to end; nil before.
func (c *country) truth(ctx context.Context) (*truth, error) {
	out := newTruth()
	add := func(obj object) {
		_, key := keyOf(obj)
		out.objects[key] = obj
	}
	namespaces, err := c.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range namespaces.Items {
		if namespaces.Items[i].DeletionTimestamp != nil {
			return nil, nil
		}
		add(&namespaces.Items[i])
	}
	bindings, err := c.RbacV1().RoleBindings("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range bindings.Items {
		add(&bindings.Items[i])
	}
	everywhere, err := c.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range everywhere.Items {
		add(&everywhere.Items[i])
	}
	local, err := c.RbacV1().Roles("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range local.Items {
		add(&local.Items[i])
	}
	roles, err := c.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range roles.Items {
		add(&roles.Items[i])
	}
	tenants, err := c.tenancy.TenancyV1().Tenants().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range tenants.Items {
		add(&tenancy.Tenant{ObjectMeta: tenants.Items[i].ObjectMeta, Spec: tenancy.TenantSpec{Owners: tenants.Items[i].Spec.Owners}})
	}
	return out, nil
}

// TestInformers has the informers of several people follow a server through changes,
// compactions and restarts. When all is quiet they have what is true.
func TestInformers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts servers")
	}
	c := newCountry(t)
	ctx, cancel := context.WithCancel(t.Context())
	stores := map[string]cache.Store{}
	var factories []externalversions.SharedInformerFactory
	defer func() {
		cancel()
		for _, factory := range factories {
			factory.Shutdown()
		}
	}()
	for _, p := range people() {
		config := rest.CopyConfig(c.config)
		config.Impersonate = rest.ImpersonationConfig{UserName: p.name, Groups: p.groups}
		factory := externalversions.NewSharedInformerFactory(versioned.NewForConfigOrDie(config), 0)
		stores[p.name] = factory.Tenancy().V1().Projects().Informer().GetStore()
		factory.Start(ctx.Done())
		factories = append(factories, factory)
	}
	for range rounds(t) {
		var writers sync.WaitGroup
		for range 3 {
			writers.Go(func() {
				for range 60 {
					if err := c.act(ctx); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writers.Wait()
		current, err := c.server.Etcd().Get(ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.server.Etcd().Compact(ctx, current.Header.Revision); err != nil {
			t.Fatal(err)
		}
		c.compare(ctx, stores)
		c.restart()
		c.compare(ctx, stores)
	}
}

// compare waits until stores have what is true.
func (c *country) compare(ctx context.Context, stores map[string]cache.Store) {
	c.t.Helper()
	last := "namespaces are ending"
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		truth, err := c.truth(ctx)
		if err != nil || truth == nil {
			return false, err
		}
		last = ""
		for _, p := range people() {
			want, got := map[string]string{}, map[string]string{}
			for name, s := range maps.All(truth.visible(p)) {
				want[name] = s.label
			}
			for _, obj := range stores[p.name].List() {
				project := obj.(*tenancyv1.Project)
				got[project.Name] = project.Labels["x"]
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				last += fmt.Sprintf("%s sees (-want +got):\n%s", p.name, diff)
			}
		}
		return last == "", nil
	})
	if err != nil {
		c.t.Fatalf("%v: %s", err, last)
	}
}
