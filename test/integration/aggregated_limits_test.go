// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/stoatest"
)

// quietHost leaves out what the admission of a host adds to pods, and what it demands of
// a service account.
const quietHost = "--disable-admission-plugins=ServiceAccount,DefaultTolerationSeconds"

// tenant makes a tenant, and waits until the host asks about what it limits.
func (h *hostCluster) tenant(t *testing.T, made *tenancyv1.Tenant) {
	t.Helper()
	tenants := tenancyAs(t, h.Server, "").TenancyV1().Tenants()
	must(tenants.Create(t.Context(), made, metav1.CreateOptions{}))(t)
	eventually(t, func() string {
		now, err := tenants.Get(t.Context(), made.Name, metav1.GetOptions{})
		if err != nil || now.Status.ObservedGeneration == 0 {
			return "not seen: " + text(err)
		}
		for _, condition := range now.Status.Conditions {
			return condition.Message
		}
		return ""
	})
}

// limits waits until a namespace has a label that says what the host asks about.
func (h *hostCluster) limits(t *testing.T, namespace, want string) {
	t.Helper()
	eventually(t, func() string {
		found, err := h.admin(t).CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if got := found.Labels["tenancy.stoa.dev/limits"]; got != want {
			return namespace + " has the limits " + got + ", want " + want
		}
		return ""
	})
}

func podOf(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	for _, change := range change {
		change(pod)
	}
	return pod
}

// TestAggregatedPlacement has the host give pods the placement of their tenant, and refuse
// those that would run elsewhere, or on machines of another tenant.
func TestAggregatedPlacement(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t, quietHost)
	kept := corev1.Toleration{Key: "kept", Operator: corev1.TolerationOpEqual, Value: "blue", Effect: corev1.TaintEffectNoSchedule}
	h.tenant(t, tenant("green"))
	h.namespace(t, "green", "green")
	h.namespace(t, "free", "")
	h.limits(t, "green", "none")
	blue := tenant("blue")
	blue.Spec.Placement = tenancyv1.Placement{NodeSelector: map[string]string{"pool": "blue"}, Tolerations: []corev1.Toleration{kept}}
	h.tenant(t, blue)
	h.namespace(t, "blue", "blue")
	h.limits(t, "green", "no-placement")
	client := h.admin(t).CoreV1()
	pool := func(value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.NodeSelector = map[string]string{"pool": value, "zone": "a"} }
	}
	tolerates := func(toleration corev1.Toleration) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.Tolerations = append(pod.Spec.Tolerations, toleration) }
	}
	own := corev1.Toleration{Key: "own", Operator: corev1.TolerationOpExists}
	eventually(t, func() string { // the host hears of it a moment later
		_, err := client.Pods("green").Create(t.Context(), podOf("there", tolerates(kept)), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if !apierrors.IsForbidden(err) {
			return "not refused: " + text(err)
		}
		return ""
	})
	const denied = `admission webhook "limits.tenancy.stoa.dev" denied the request: pods "x" is forbidden: `
	for name, tc := range map[string]struct {
		namespace   string
		pod         *corev1.Pod
		want        string
		selector    map[string]string
		tolerations []corev1.Toleration
	}{
		"is placed":                  {"blue", podOf("placed", tolerates(own)), "", map[string]string{"pool": "blue"}, []corev1.Toleration{own, kept}},
		"says the same":              {"blue", podOf("same", pool("blue")), "", map[string]string{"pool": "blue", "zone": "a"}, []corev1.Toleration{kept}},
		"wants to be elsewhere":      {"blue", podOf("x", pool("red")), denied + `spec.nodeSelector[pool]: pods of tenant "blue" run on nodes with pool=blue, not "red"`, nil, nil},
		"wants a machine of another": {"green", podOf("x", tolerates(kept)), denied + "spec.tolerations[0]: tolerates a taint of the nodes that are kept for another tenant", nil, nil},
		"names no machine":           {"green", podOf("x", func(pod *corev1.Pod) { pod.Spec.NodeName = "none" }), denied + `spec.nodeName: "none" is kept for another tenant, or is no node`, nil, nil},
		"is of another tenant":       {"green", podOf("other", pool("red")), "", map[string]string{"pool": "red", "zone": "a"}, nil},
		"is of no tenant":            {"free", podOf("free", tolerates(kept)), "", nil, []corev1.Toleration{kept}},
	} {
		made, err := client.Pods(tc.namespace).Create(t.Context(), tc.pod, metav1.CreateOptions{})
		if text(err) != tc.want || tc.want != "" && !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
		if err == nil && tc.want == "" {
			if diff := cmp.Diff([]any{tc.selector, tc.tolerations}, []any{made.Spec.NodeSelector, made.Spec.Tolerations}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	more := []byte(`{"spec":{"tolerations":[{"key":"kept","operator":"Exists"}]}}`)
	patch := func(client kubernetes.Interface, namespace, name string, body []byte) error {
		_, err := client.CoreV1().Pods(namespace).Patch(t.Context(), name, types.StrategicMergePatchType, body, metav1.PatchOptions{})
		return err
	}
	if err := patch(h.admin(t), "green", "other", more); !apierrors.IsForbidden(err) || !strings.Contains(text(err), "tolerates a taint of the nodes that are kept for another tenant") {
		t.Errorf("a toleration that comes later: %v", err)
	}

	review := request{method: "POST", path: "/apis/tenancy.stoa.dev/v1/admissions/validate", body: []byte("{}"), config: h.Config()}
	review.config.Impersonate.UserName = "jane"
	if got := do(t, review); got.code != 403 || !strings.Contains(string(got.body), `User \"jane\" cannot create resource \"admissions\" in API group \"tenancy.stoa.dev\"`) {
		t.Errorf("somebody reviews: %d %s", got.code, got.body)
	}

	b.Stop()
	eventually(t, func() string { // the host may have a connection that is not closed yet
		_, err := client.Pods("blue").Create(t.Context(), podOf("late"), metav1.CreateOptions{})
		if !apierrors.IsInternalError(err) || !strings.Contains(text(err), `failed calling webhook "placement.tenancy.stoa.dev": failed to call webhook: the server is currently unable to handle the request`) {
			return "while the server is down: " + text(err)
		}
		return ""
	})
	if err := patch(h.admin(t), "blue", "placed", []byte(`{"metadata":{"labels":{"a":"b"}}}`)); err != nil {
		t.Errorf("an update of something else: %v", err)
	}
	must(client.ConfigMaps("blue").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, metav1.CreateOptions{}))(t)
	must(client.Pods("free").Create(t.Context(), podOf("late"), metav1.CreateOptions{}))(t)
	if err := client.Pods("blue").Delete(t.Context(), "placed", metav1.DeleteOptions{}); err != nil {
		t.Errorf("a deletion: %v", err)
	}
}

// TestAggregatedQuota has two hundred pods in two namespaces of the host want what there is
// fifty of.
func TestAggregatedQuota(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t, quietHost)
	blue := tenant("blue")
	blue.Spec.Quota.Hard = hard("pods", "50", "services", "1", "requests.storage", "3Gi")
	h.tenant(t, blue)
	config := h.Config()
	config.QPS = -1
	client := clientFor(t, config).CoreV1()
	p := &people{T: t, name: "blue", servers: []*stoatest.Server{h.Server}}
	h.namespace(t, "blue-0", "blue")
	h.namespace(t, "blue-1", "blue")
	h.namespace(t, "free", "")
	p.uses(hard("pods", "0", "services", "0", "requests.storage", "0"))
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{Requests: hard("storage", "4Gi")},
	}}
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	eventually(t, func() string { // the host hears a moment later what to ask about
		_, err := client.PersistentVolumeClaims(p.namespace(0)).Create(t.Context(), claim, dry)
		if !apierrors.IsForbidden(err) {
			return "not refused: " + text(err)
		}
		return ""
	})
	const full = `admission webhook "limits.tenancy.stoa.dev" denied the request: pods "x" is forbidden: ` +
		"exceeded quota: tenant blue, requested: pods=1, used: pods=50, limited: pods=50"
	var all errgroup.Group
	all.SetLimit(100)
	var made atomic.Int32
	for i := range 200 {
		all.Go(func() error {
			_, err := client.Pods(p.namespace(i%2)).Create(t.Context(), podOf(fmt.Sprint("p-", i)), metav1.CreateOptions{})
			switch {
			case err == nil:
				made.Add(1)
			case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "exceeded quota: tenant blue, requested: pods=1, used: pods=50, limited: pods=50"):
				return err
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	if got := made.Load(); got != 50 {
		t.Errorf("created %d, want 50", got)
	}
	p.uses(hard("pods", "50"))
	if _, err := client.Pods(p.namespace(0)).Create(t.Context(), podOf("x"), metav1.CreateOptions{}); text(err) != full {
		t.Errorf("one more: %v, want %s", err, full)
	}
	must(client.Pods("free").Create(t.Context(), podOf("x"), metav1.CreateOptions{}))(t)

	if err := client.Pods(p.namespace(1)).DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: new(int64)}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	left := len(must(client.Pods(p.namespace(0)).List(t.Context(), metav1.ListOptions{}))(t).Items)
	p.uses(hard("pods", strconv.Itoa(left)))
	must(client.Pods(p.namespace(0)).Create(t.Context(), podOf("dry"), dry))(t)
	p.uses(hard("pods", strconv.Itoa(left)))

	service := func() *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{GenerateName: "s-"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	}
	must(client.Services(p.namespace(0)).Create(t.Context(), service(), metav1.CreateOptions{}))(t)
	h.namespace(t, "new", "blue")
	if _, err := client.Services("new").Create(t.Context(), service(), metav1.CreateOptions{}); !strings.Contains(text(err), "exceeded quota: tenant blue, requested: services=1, used: services=1, limited: services=1") {
		t.Errorf("in a namespace that is new: %v", err)
	}
	claim.Spec.Resources.Requests = hard("storage", "2Gi")
	must(client.PersistentVolumeClaims("new").Create(t.Context(), claim, metav1.CreateOptions{}))(t)
	claim.Name = "d"
	if _, err := client.PersistentVolumeClaims("new").Create(t.Context(), claim, metav1.CreateOptions{}); !strings.Contains(text(err), "requested: requests.storage=2Gi, used: requests.storage=2Gi, limited: requests.storage=3Gi") {
		t.Errorf("too much storage: %v", err)
	}
	p.uses(hard("services", "1", "requests.storage", "2Gi"))

	b.Stop()
	b.start(t)
	h.wait(t, h.options(t, b.port))
	eventually(t, func() string {
		_, err := client.Pods("new").Create(t.Context(), podOf("after"), metav1.CreateOptions{})
		return text(err)
	})
	p.uses(hard("pods", strconv.Itoa(left+1)))
}

// TestAggregatedCounts limits what the server may not count, until it may.
func TestAggregatedCounts(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t, quietHost)
	if err := h.admin(t).AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(t.Context(), "stoa-tenants", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	blue := tenant("blue")
	blue.Spec.Quota.Hard = hard("count/secrets", "1", "pods", "1")
	tenants := tenancyAs(t, h.Server, "").TenancyV1().Tenants()
	must(tenants.Create(t.Context(), blue, metav1.CreateOptions{}))(t)
	h.namespace(t, "blue", "blue")
	says := func(want string) {
		t.Helper()
		eventually(t, func() string {
			now, err := tenants.Get(t.Context(), "blue", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			got := ""
			for _, condition := range now.Status.Conditions {
				got += condition.Type + ": " + condition.Message
			}
			if got != want {
				return fmt.Sprintf("it says %q, want %q", got, want)
			}
			return ""
		})
	}
	says("LimitedByHost: spec.quota does not hold: there is no ValidatingWebhookConfiguration stoa-tenants: run stoa install")
	h.install(t, h.options(t, b.port))
	says("LimitedByHost: spec.quota of count/secrets does not hold: the server may not list secrets, watch secrets")
	client := h.admin(t)
	secret := func() error {
		_, err := client.CoreV1().Secrets("blue").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "s-"}}, metav1.CreateOptions{})
		return err
	}
	for range 2 {
		if err := secret(); err != nil {
			t.Errorf("what does not hold: %v", err)
		}
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "counts-secrets"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list", "watch"}}}}
	must(client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}))(t)
	must(client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "counts-secrets"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "counts-secrets"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: aggregatedUser}},
	}, metav1.CreateOptions{}))(t)
	says("")
	(&people{T: t, name: "blue", servers: []*stoatest.Server{h.Server}}).uses(hard("count/secrets", "2", "pods", "0"))
	eventually(t, func() string {
		if err := secret(); !strings.Contains(text(err), "exceeded quota: tenant blue, requested: count/secrets=1, used: count/secrets=") {
			return "a third: " + text(err)
		}
		return ""
	})
}

// TestAggregatedCharges charges what changes, and takes off what the host has refused after
// it has asked.
func TestAggregatedCharges(t *testing.T) {
	t.Parallel()
	h, b := newBehind(t, quietHost)
	b.Stop()
	b.flags = []string{"--request-timeout=2s"}
	b.start(t)
	h.wait(t, h.options(t, b.port))
	blue := tenant("blue")
	blue.Spec.Quota.Hard = hard("requests.cpu", "1", "services.nodeports", "0")
	h.tenant(t, blue)
	h.namespace(t, "blue", "blue")
	client, p := h.admin(t).CoreV1(), &people{T: t, name: "blue", servers: []*stoatest.Server{h.Server}}
	needs := func(cpu string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.Containers[0].Resources.Requests = hard("cpu", cpu) }
	}
	eventually(t, func() string {
		_, err := client.Pods("blue").Create(t.Context(), podOf("huge", needs("2")), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if !strings.Contains(text(err), "exceeded quota") {
			return "not refused: " + text(err)
		}
		return ""
	})
	must(client.Pods("blue").Create(t.Context(), podOf("x", needs("200m")), metav1.CreateOptions{}))(t)
	resize := func(cpu string) error {
		body := []byte(`{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"` + cpu + `"}}}]}}`)
		_, err := client.Pods("blue").Patch(t.Context(), "x", types.StrategicMergePatchType, body, metav1.PatchOptions{}, "resize")
		return err
	}
	if err := resize("1100m"); !strings.Contains(text(err), "exceeded quota: tenant blue, requested: requests.cpu=900m, used: requests.cpu=200m, limited: requests.cpu=1") {
		t.Errorf("too large: %v", err)
	}
	if err := resize("500m"); err != nil {
		t.Error(err)
	}
	p.uses(hard("requests.cpu", "500m"))
	service := must(client.Services("blue").Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{}))(t)
	service.Spec.Type = corev1.ServiceTypeNodePort
	if _, err := client.Services("blue").Update(t.Context(), service, metav1.UpdateOptions{}); !strings.Contains(text(err), "exceeded quota: tenant blue, requested: services.nodeports=1") {
		t.Errorf("a node port: %v", err)
	}

	limit(t, h.admin(t), "blue", "own", corev1.ResourceQuotaSpec{Hard: hard("pods", "1")})
	if _, err := client.Pods("blue").Create(t.Context(), podOf("y", needs("300m")), metav1.CreateOptions{}); !strings.Contains(text(err), "exceeded quota: own") {
		t.Errorf("more than the namespace may: %v", err)
	}
	p.uses(hard("requests.cpu", "500m")) // when the host cannot store it any more
}
