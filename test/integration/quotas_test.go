// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// counted makes a quota, and waits until it says what is used.
func counted(t testing.TB, client kubernetes.Interface, namespace, name string, spec corev1.ResourceQuotaSpec) {
	t.Helper()
	quotas := client.CoreV1().ResourceQuotas(namespace)
	if _, err := quotas.Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the quota to be counted", func(ctx context.Context) bool {
		q, err := quotas.Get(ctx, name, metav1.GetOptions{})
		return err == nil && len(q.Status.Used) == len(spec.Hard)
	})
}

// limit makes a quota, and waits until it holds: who knows a later one knows it.
func limit(t testing.TB, client kubernetes.Interface, namespace, name string, spec corev1.ResourceQuotaSpec) {
	t.Helper()
	counted(t, client, namespace, name, spec)
	const later = "later"
	counted(t, client, namespace, later, corev1.ResourceQuotaSpec{Hard: hard("count/podtemplates", "0")})
	template := func(ctx context.Context) error {
		_, err := client.CoreV1().PodTemplates(namespace).Create(ctx, &corev1.PodTemplate{
			ObjectMeta: metav1.ObjectMeta{Name: "x"}, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	waitFor(t, "the plugin to know the quota", func(ctx context.Context) bool { return apierrors.IsForbidden(template(ctx)) })
	if err := client.CoreV1().ResourceQuotas(namespace).Delete(t.Context(), later, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the plugin to forget the later quota", func(ctx context.Context) bool { return template(ctx) == nil })
}

func hard(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

// used waits until a quota says what is used.
func used(t testing.TB, client kubernetes.Interface, namespace, name string, want corev1.ResourceList) {
	t.Helper()
	eventually(t, func() string {
		q, err := client.CoreV1().ResourceQuotas(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		for resource, quantity := range want {
			if got, ok := q.Status.Used[resource]; !ok || !got.Equal(quantity) {
				return fmt.Sprintf("%s: used %s, want %s", resource, &got, &quantity)
			}
		}
		return ""
	})
}

// TestQuotaUnderLoad has a thousand requests of twenty clients want what there is a
// hundred of.
func TestQuotaUnderLoad(t *testing.T) {
	t.Parallel()
	client, namespace := coreClient(t), newNamespace(t)
	limit(t, client, namespace, "few", corev1.ResourceQuotaSpec{Hard: hard("count/secrets", "100")})
	many := make([]kubernetes.Interface, 20)
	for i := range many {
		config := api.Config()
		config.Dial = (&net.Dialer{}).DialContext // a connection of its own
		many[i] = clientFor(t, config)
		if _, err := many[i].Discovery().ServerVersion(); err != nil { // it is there before the crowd is
			t.Fatal(err)
		}
	}
	var created atomic.Int32
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			_, err := many[i%len(many)].CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%d", i)}}, metav1.CreateOptions{})
			switch {
			case err == nil:
				created.Add(1)
			case !apierrors.IsForbidden(err):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if created.Load() != 100 {
		t.Errorf("created %d, want 100", created.Load())
	}
	list, err := client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 100 {
		t.Errorf("there are %d, %v", len(list.Items), err)
	}
	used(t, client, namespace, "few", hard("count/secrets", "100"))
}

// TestQuotaWhileCounting charges a quota while deletions have it counted again: there
// are never more than it allows.
func TestQuotaWhileCounting(t *testing.T) {
	t.Parallel()
	const allowed, workers, rounds = 5, 12, 15
	client, namespace := coreClient(t), newNamespace(t)
	limit(t, client, namespace, "few", corev1.ResourceQuotaSpec{Hard: hard("count/leases.coordination.k8s.io", "5")})
	leases := client.CoordinationV1().Leases(namespace)
	var there, most atomic.Int32
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for round := range rounds {
				name := fmt.Sprintf("l%d-%d", worker, round)
				_, err := leases.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
				if apierrors.IsForbidden(err) || apierrors.IsConflict(err) {
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				for now := there.Add(1); ; {
					before := most.Load()
					if now <= before || most.CompareAndSwap(before, now) {
						break
					}
				}
				there.Add(-1) // before it goes, so that it is not counted longer than it is there
				if err := leases.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := most.Load(); n > allowed || n == 0 {
		t.Errorf("there were up to %d, want 1 to %d", n, allowed)
	}
	used(t, client, namespace, "few", hard("count/leases.coordination.k8s.io", "0"))
}

// TestQuotaKinds limits more than the number of objects, with the messages of Kubernetes.
func TestQuotaKinds(t *testing.T) {
	t.Parallel()
	client, namespace := coreClient(t), newNamespace(t)
	create := metav1.CreateOptions{}
	limit(t, client, namespace, "compute", corev1.ResourceQuotaSpec{Hard: hard("requests.cpu", "1", "limits.memory", "1Gi", "pods", "2", "count/pods", "9")})
	limit(t, client, namespace, "hurried", corev1.ResourceQuotaSpec{Hard: hard("pods", "0"), Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating}})
	limit(t, client, namespace, "network", corev1.ResourceQuotaSpec{Hard: hard("services", "2", "services.nodeports", "1", "services.loadbalancers", "0")})
	limit(t, client, namespace, "disks", corev1.ResourceQuotaSpec{Hard: hard("requests.storage", "10Gi", "gold.storageclass.storage.k8s.io/persistentvolumeclaims", "1")})
	limit(t, client, namespace, "devices", corev1.ResourceQuotaSpec{Hard: hard("gpu.deviceclass.resource.k8s.io/devices", "2")})

	pod := func(name, cpu, memory string, change ...func(*corev1.Pod)) *corev1.Pod {
		out := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
		if cpu != "" {
			out.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: hard("cpu", cpu), Limits: hard("memory", memory)}
		}
		for _, do := range change {
			do(out)
		}
		return out
	}
	service := func(name string, kind corev1.ServiceType, ports ...int32) *corev1.Service {
		out := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Type: kind}}
		for _, port := range ports {
			out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("p", port), Port: port})
		}
		return out
	}
	claim := func(name, class, size string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: hard("storage", size)},
		}}
	}
	devices := func(name string, count int64) *resourcev1.ResourceClaim {
		return &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{Requests: []resourcev1.DeviceRequest{
			{Name: "r", Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: "gpu", AllocationMode: resourcev1.DeviceAllocationModeExactCount, Count: count}},
		}}}}
	}
	pods, services := client.CoreV1().Pods(namespace), client.CoreV1().Services(namespace)
	for _, tc := range []struct {
		obj  metav1.Object
		want string // of the error; none: it is created
	}{
		{pod("none", "", ""), `pods "none" is forbidden: failed quota: compute: must specify limits.memory for: c; requests.cpu for: c`},
		{pod("big", "2", "1Mi"), `pods "big" is forbidden: exceeded quota: compute, requested: requests.cpu=2, used: requests.cpu=0, limited: requests.cpu=1`},
		{pod("one", "500m", "1Mi"), ""},
		{pod("hurried", "1m", "1Mi", func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(5)) }),
			`pods "hurried" is forbidden: exceeded quota: hurried, requested: pods=1, used: pods=0, limited: pods=0`},
		{pod("two", "500m", "1Mi"), ""},
		{pod("three", "0", "1Mi"), `pods "three" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2`},
		{service("two-ports", corev1.ServiceTypeNodePort, 1, 2),
			`services "two-ports" is forbidden: exceeded quota: network, requested: services.nodeports=2, used: services.nodeports=0, limited: services.nodeports=1`},
		{service("balancer", corev1.ServiceTypeLoadBalancer, 1),
			`services "balancer" is forbidden: exceeded quota: network, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0`},
		{service("plain", corev1.ServiceTypeClusterIP, 1, 2), ""},
		{claim("huge", "tin", "11Gi"), `persistentvolumeclaims "huge" is forbidden: exceeded quota: disks, requested: requests.storage=11Gi, used: requests.storage=0, limited: requests.storage=10Gi`},
		{claim("gold", "gold", "1Gi"), ""},
		{claim("more", "gold", "1Gi"), `persistentvolumeclaims "more" is forbidden: exceeded quota: disks, requested: gold.storageclass.storage.k8s.io/persistentvolumeclaims=1, used: gold.storageclass.storage.k8s.io/persistentvolumeclaims=1, limited: gold.storageclass.storage.k8s.io/persistentvolumeclaims=1`},
		{devices("three", 3), `resourceclaims.resource.k8s.io "three" is forbidden: exceeded quota: devices, requested: gpu.deviceclass.resource.k8s.io/devices=3, used: gpu.deviceclass.resource.k8s.io/devices=0, limited: gpu.deviceclass.resource.k8s.io/devices=2`},
		{devices("two", 2), ""},
	} {
		var err error
		switch obj := tc.obj.(type) {
		case *corev1.Pod:
			_, err = pods.Create(t.Context(), obj, create)
		case *corev1.Service:
			_, err = services.Create(t.Context(), obj, create)
		case *corev1.PersistentVolumeClaim:
			_, err = client.CoreV1().PersistentVolumeClaims(namespace).Create(t.Context(), obj, create)
		case *resourcev1.ResourceClaim:
			_, err = client.ResourceV1().ResourceClaims(namespace).Create(t.Context(), obj, create)
		}
		if text(err) != tc.want {
			t.Errorf("%s: got %q, want %q", tc.obj.GetName(), text(err), tc.want)
		}
	}

	// An update is charged for what is more.
	plain, err := services.Get(t.Context(), "plain", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	plain.Spec.Type = corev1.ServiceTypeNodePort
	_, err = services.Update(t.Context(), plain, metav1.UpdateOptions{})
	if want := `services "plain" is forbidden: exceeded quota: network, requested: services.nodeports=2, used: services.nodeports=0, limited: services.nodeports=1`; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
	// What has ended, or is deleted, uses no more.
	one, err := pods.Get(t.Context(), "one", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	one.Status.Phase = corev1.PodSucceeded
	if _, err := pods.UpdateStatus(t.Context(), one, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	used(t, client, namespace, "compute", hard("pods", "1", "count/pods", "2", "requests.cpu", "500m", "limits.memory", "1Mi"))
	if err := pods.Delete(t.Context(), "two", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
		t.Fatal(err)
	}
	used(t, client, namespace, "compute", hard("pods", "0", "count/pods", "1", "requests.cpu", "0", "limits.memory", "0"))
}

// TestQuotaOfCustomResources limits a resource before and after it is defined.
func TestQuotaOfCustomResources(t *testing.T) {
	t.Parallel()
	client, namespace := coreClient(t), newNamespace(t)
	group := namespace + ".example.com"
	name := "count/widgets." + group
	_, err := client.CoreV1().ResourceQuotas(namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: hard(name, "1")},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the quota to be known", func(ctx context.Context) bool {
		q, err := client.CoreV1().ResourceQuotas(namespace).Get(ctx, "few", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) == 1
	})
	resource := defineOn(t, api, group, widgets)
	objects := dynamicClient(t).Resource(resource).Namespace(namespace)
	used(t, client, namespace, "few", hard(name, "0"))
	widget := func(name string) *unstructured.Unstructured {
		return custom(resource, "Widget", name, map[string]any{"color": "red"})
	}
	waitFor(t, "the first widget to be charged", func(ctx context.Context) bool {
		_, err := objects.Create(ctx, widget("one"), metav1.CreateOptions{})
		return err == nil
	})
	_, err = objects.Create(t.Context(), widget("two"), metav1.CreateOptions{})
	if want := fmt.Sprintf(`widgets.%[1]s "two" is forbidden: exceeded quota: few, requested: %[2]s=1, used: %[2]s=1, limited: %[2]s=1`, group, name); text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
	if err := objects.Delete(t.Context(), "one", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	used(t, client, namespace, "few", hard(name, "0"))
}

// TestQuotaAfterCrash starts a server on what another one left: a quota that was charged
// for what was never stored.
func TestQuotaAfterCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := stoatest.Start(t, stoatest.WithDataDir(dir))
	client := clientFor(t, first.Config())
	limit(t, client, "default", "few", corev1.ResourceQuotaSpec{Hard: hard("secrets", "5")})
	q, err := client.CoreV1().ResourceQuotas("default").Get(t.Context(), "few", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q.Status.Used = hard("secrets", "5")
	if _, err := client.CoreV1().ResourceQuotas("default").UpdateStatus(t.Context(), q, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	first.Stop()
	client = clientFor(t, stoatest.Start(t, stoatest.WithDataDir(dir)).Config())
	used(t, client, "default", "few", hard("secrets", "0"))
}
