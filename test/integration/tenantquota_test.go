// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/stoatest"
)

// people is a tenant with a quota, and clients of the servers that it uses.
type people struct {
	*testing.T
	name    string
	servers []*stoatest.Server
	clients []kubernetes.Interface
}

// withQuota makes a tenant with some namespaces, which are named after it.
func withQuota(t *testing.T, servers []*stoatest.Server, namespaces int, hard corev1.ResourceList) *people {
	t.Helper()
	p := &people{T: t, name: unique(t), servers: servers}
	for _, server := range servers {
		config := server.Config()
		config.QPS = -1
		p.clients = append(p.clients, clientFor(t, config))
	}
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: p.name}, Spec: tenancyv1.TenantSpec{Quota: tenancyv1.TenantQuota{Hard: hard}}}
	must(tenancyAs(t, servers[0], "").TenancyV1().Tenants().Create(t.Context(), tenant, metav1.CreateOptions{}))(t)
	for i := range namespaces {
		must(p.clients[0].CoreV1().Namespaces().Create(t.Context(), namespaceOf(p.name, p.namespace(i)), metav1.CreateOptions{}))(t)
	}
	return p
}

func (p *people) namespace(i int) string { return fmt.Sprintf("%s-%d", p.name, i) }

// note makes a secret.
func (p *people) note(ctx context.Context, client, namespace int, name string) error {
	_, err := p.clients[client].CoreV1().Secrets(p.namespace(namespace)).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}

// uses waits until the tenant says that it uses something.
func (p *people) uses(want corev1.ResourceList) {
	p.Helper()
	eventually(p.T, func() string {
		now, err := tenancyAs(p.T, p.servers[0], "").TenancyV1().Tenants().Get(p.Context(), p.name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		for name, quantity := range want {
			if got, ok := now.Status.QuotaUsed[name]; !ok || !got.Equal(quantity) {
				return fmt.Sprintf("%v are used, want %s of %s", now.Status.QuotaUsed, &quantity, name)
			}
		}
		return ""
	})
}

func (p *people) change(patch string) {
	p.Helper()
	must(tenancyAs(p.T, p.servers[0], "").TenancyV1().Tenants().Patch(p.Context(), p.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}))(p.T)
}

// crowd has many make secrets in five namespaces at once, through all servers, and checks
// that there are as many as the quota has room for. More than a hundred at once may wait
// too long for their turn on a slow machine. Who gives up waiting for his may have been
// charged, which is given back when the quota is counted again.
func (p *people) crowd(tries, room int, refusal string) {
	p.Helper()
	var made, gaveUp atomic.Int32
	var all errgroup.Group
	all.SetLimit(100)
	for i := range tries {
		all.Go(func() error {
			err := p.note(p.Context(), i%len(p.clients), i%5, fmt.Sprint("s", i))
			switch {
			case err == nil:
				made.Add(1)
			case apierrors.IsInternalError(err) && strings.Contains(err.Error(), "resource quota evaluation timed out"):
				gaveUp.Add(1)
			case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), refusal):
				return err
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		p.Error(err)
	}
	there := 0
	for i := range 5 {
		there += len(must(p.clients[0].CoreV1().Secrets(p.namespace(i)).List(p.Context(), metav1.ListOptions{}))(p.T).Items)
	}
	if there != int(made.Load()) {
		p.Errorf("%d were created and %d are there", made.Load(), there)
	}
	if there > room || there < room-int(gaveUp.Load()) {
		p.Errorf("created %d, want %d; %d gave up", there, room, gaveUp.Load())
	}
	if gaveUp.Load() == 0 {
		p.uses(hard("count/secrets", fmt.Sprint(room)))
	}
}

// TestTenantQuotaUnderLoad has a thousand requests in five namespaces want what there is a
// hundred of.
func TestTenantQuotaUnderLoad(t *testing.T) {
	t.Parallel()
	p := withQuota(t, []*stoatest.Server{api}, 5, hard("count/secrets", "100"))
	refusal := "exceeded quota: tenant " + p.name + ", requested: count/secrets=1, used: count/secrets=100, limited: count/secrets=100"
	p.crowd(1000, 100, refusal)
	// A namespace that goes frees what it used, and no more.
	left := 0
	for i := range 4 {
		left += len(must(p.clients[0].CoreV1().Secrets(p.namespace(i)).List(t.Context(), metav1.ListOptions{}))(t).Items)
	}
	if err := p.clients[0].CoreV1().Namespaces().Delete(t.Context(), p.namespace(4), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.uses(hard("count/secrets", fmt.Sprint(left)))
}

// TestTenantQuota charges what is created and changed in several namespaces, and frees
// what is deleted.
func TestTenantQuota(t *testing.T) {
	t.Parallel()
	p := withQuota(t, []*stoatest.Server{api}, 2, hard("services", "2", "services.nodeports", "1", "requests.storage", "3Gi", "pods", "5", "requests.cpu", "1"))
	client, options := p.clients[0].CoreV1(), metav1.CreateOptions{}
	exceeded := func(what, requested, used, limited string) string {
		return fmt.Sprintf("exceeded quota: tenant %s, requested: %s=%s, used: %s=%s, limited: %s=%s", p.name, what, requested, what, used, what, limited)
	}
	refused := func(err error, want string) {
		t.Helper()
		if !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	service := func(kind corev1.ServiceType) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{GenerateName: "s-"}, Spec: corev1.ServiceSpec{Type: kind, Ports: []corev1.ServicePort{{Port: 1}}}}
	}
	claim := func(size string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{GenerateName: "c-"}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{Requests: hard("storage", size)},
		}}
	}
	must(client.Services(p.namespace(0)).Create(t.Context(), service(corev1.ServiceTypeNodePort), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))(t)
	p.uses(hard("services", "0", "services.nodeports", "0"))
	must(client.Services(p.namespace(0)).Create(t.Context(), service(corev1.ServiceTypeNodePort), options))(t)
	plain := must(client.Services(p.namespace(1)).Create(t.Context(), service(corev1.ServiceTypeClusterIP), options))(t)
	_, err := client.Services(p.namespace(1)).Create(t.Context(), service(corev1.ServiceTypeClusterIP), options)
	refused(err, exceeded("services", "1", "2", "2"))
	_, err = client.Services(p.namespace(1)).Patch(t.Context(), plain.Name, types.MergePatchType, []byte(`{"spec": {"type": "NodePort"}}`), metav1.PatchOptions{})
	refused(err, exceeded("services.nodeports", "1", "1", "1"))
	must(client.PersistentVolumeClaims(p.namespace(0)).Create(t.Context(), claim("2Gi"), options))(t)
	_, err = client.PersistentVolumeClaims(p.namespace(1)).Create(t.Context(), claim("2Gi"), options)
	refused(err, exceeded("requests.storage", "2Gi", "2Gi", "3Gi"))
	_, err = client.Pods(p.namespace(1)).Create(t.Context(), podSpec{}.pod(), options)
	refused(err, "failed quota: tenant "+p.name+": must specify requests.cpu for: c")
	p.uses(hard("services", "2", "services.nodeports", "1", "requests.storage", "2Gi", "pods", "0"))
	if err := client.Services(p.namespace(1)).Delete(t.Context(), plain.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.uses(hard("services", "1"))

	// Nothing goes when less is allowed, and nothing comes. What was not limited is counted.
	must(client.ConfigMaps(p.namespace(0)).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, options))(t)
	p.change(`{"spec": {"quota": {"hard": {"services": "0", "count/configmaps": "50"}}}}`)
	eventually(t, func() string {
		_, err := client.Services(p.namespace(1)).Create(t.Context(), service(corev1.ServiceTypeClusterIP), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsForbidden(err) && strings.HasSuffix(err.Error(), exceeded("services", "1", "1", "0")) {
			return ""
		}
		return "less is allowed: " + text(err)
	})
	p.uses(hard("services", "1", "count/configmaps", "1"))
	r := do(t, request{path: "/apis/tenancy.stoa.dev/v1/tenants/" + p.name, header: map[string]string{"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}})
	if want := "count/configmaps: 1/50, pods: 0/5, requests.cpu: 0/1, requests.storage: 2Gi/3Gi, services: 1/0, services.nodeports: 1/1"; !strings.Contains(string(r.body), want) {
		t.Errorf("columns %s, want %s", r.body, want)
	}
	p.change(`{"spec": {"quota": null}}`)
	eventually(t, func() string { // admission is told a moment later
		_, err := client.Services(p.namespace(1)).Create(t.Context(), service(corev1.ServiceTypeClusterIP), options)
		return text(err)
	})
}

// TestTenantQuotaBeside has a quota of a namespace beside that of its tenant: who is
// refused by one is not charged by the other.
func TestTenantQuotaBeside(t *testing.T) {
	t.Parallel()
	p := withQuota(t, []*stoatest.Server{api}, 2, hard("count/secrets", "3"))
	limit(t, p.clients[0], p.namespace(0), "own", corev1.ResourceQuotaSpec{Hard: hard("count/secrets", "2")})
	for i, want := range []string{"", "", "exceeded quota: own,"} {
		if err := p.note(t.Context(), 0, 0, fmt.Sprint("a", i)); !strings.Contains(text(err), want) || (err == nil) != (want == "") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	p.uses(hard("count/secrets", "2"))
	if err := p.note(t.Context(), 0, 1, "b"); err != nil {
		t.Error(err)
	}
	p.uses(hard("count/secrets", "3"))
	if err := p.clients[0].CoreV1().Secrets(p.namespace(0)).Delete(t.Context(), "a0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.uses(hard("count/secrets", "2"))
	eventually(t, func() string { return text(p.note(t.Context(), 0, 1, "c")) }) // admission is told a moment later
	used(t, p.clients[0], p.namespace(0), "own", hard("count/secrets", "1"))
	if err := p.note(t.Context(), 0, 0, "d"); !strings.Contains(text(err), "exceeded quota: tenant "+p.name) {
		t.Errorf("%v, want the quota of the tenant", err)
	}
	used(t, p.clients[0], p.namespace(0), "own", hard("count/secrets", "1"))
}

// TestTenantQuotaMoves has what is in a namespace move with it.
func TestTenantQuotaMoves(t *testing.T) {
	t.Parallel()
	from := withQuota(t, []*stoatest.Server{api}, 2, hard("count/secrets", "9"))
	to := withQuota(t, []*stoatest.Server{api}, 0, hard("count/secrets", "1"))
	for i, namespace := range []int{0, 0, 1} {
		if err := from.note(t.Context(), 0, namespace, fmt.Sprint("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	from.uses(hard("count/secrets", "3"))
	moved := fmt.Sprintf(`{"metadata": {"labels": {%q: %q}}}`, tenancy.TenantLabel, to.name)
	must(from.clients[0].CoreV1().Namespaces().Patch(t.Context(), from.namespace(0), types.MergePatchType, []byte(moved), metav1.PatchOptions{}))(t)
	from.uses(hard("count/secrets", "1"))
	to.uses(hard("count/secrets", "2"))
	eventually(t, func() string { // the plugin hears of it
		if err := from.note(t.Context(), 0, 0, "more"); !strings.Contains(text(err), "exceeded quota: tenant "+to.name) {
			return "where it is now: " + text(err)
		}
		return ""
	})
}

// TestTenantQuotaRestart counts again what a crash left.
func TestTenantQuotaRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	p := withQuota(t, []*stoatest.Server{server}, 1, hard("count/secrets", "5"))
	if err := p.note(t.Context(), 0, 0, "s"); err != nil {
		t.Fatal(err)
	}
	// As if four requests had been charged, and had never been stored.
	tenants := tenancyAs(t, server, "").TenancyV1().Tenants()
	must(tenants.Patch(t.Context(), p.name, types.MergePatchType, []byte(`{"status": {"quotaUsed": {"count/secrets": "5"}}}`), metav1.PatchOptions{}, "status"))(t)
	server.Stop()
	p.servers[0] = stoatest.Start(t, stoatest.WithDataDir(dir))
	p.uses(hard("count/secrets", "1"))
}

// TestTenantQuotaServers charges a tenant on two servers, one of which counts again.
func TestTenantQuotaServers(t *testing.T) {
	t.Parallel()
	shared, err := etcd.Start(t.Context(), etcd.Config{Dir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shared.Stop(context.WithoutCancel(t.Context())) })
	onShared := stoatest.WithFlags("--etcd-servers="+shared.Endpoints()[0], "--request-timeout=10s")
	p := withQuota(t, []*stoatest.Server{stoatest.Start(t, onShared), stoatest.Start(t, onShared)}, 5, hard("count/secrets", "60", "count/configmaps", "100"))
	t.Run("quota", func(t *testing.T) {
		t.Parallel()
		p := &people{T: t, name: p.name, servers: p.servers, clients: p.clients}
		p.crowd(400, 60, "exceeded quota: tenant "+p.name)
		for i := range 5 {
			if err := p.clients[1].CoreV1().Secrets(p.namespace(i)).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		p.uses(hard("count/secrets", "0")) // ten seconds later
	})
	t.Run("namespaces", func(t *testing.T) {
		t.Parallel()
		const limit = 7
		tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "few"}, Spec: tenancyv1.TenantSpec{Namespaces: tenancyv1.TenantNamespaces{Limit: new(int32(limit))}}}
		must(tenancyAs(t, p.servers[0], "").TenancyV1().Tenants().Create(t.Context(), tenant, metav1.CreateOptions{}))(t)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				_, err := p.clients[i%2].CoreV1().Namespaces().Create(t.Context(), namespaceOf("few", fmt.Sprint("few-", i)), metav1.CreateOptions{})
				if err != nil && !strings.HasSuffix(err.Error(), `tenant "few" has 7 namespaces, of 7 that it may have`) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		list := must(p.clients[0].CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{LabelSelector: tenancy.TenantLabel + "=few"}))(t)
		if len(list.Items) != limit {
			t.Errorf("%d namespaces, want %d", len(list.Items), limit)
		}
	})
}
