// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	apiquota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/apis/core"
)

func evaluator(t *testing.T, devices *quota.Devices, kind string) apiquota.Evaluator {
	t.Helper()
	for _, e := range quota.Evaluators(devices, nil) {
		if e.GroupResource().Resource == kind {
			return e
		}
	}
	t.Fatalf("no evaluator of %s", kind)
	return nil
}

func list(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func pod(change ...func(*corev1.Pod)) *corev1.Pod {
	out := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}
	for _, do := range change {
		do(out)
	}
	return out
}

func needs(requests, limits corev1.ResourceList) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: requests, Limits: limits}
	}
}

// Which objects are in which scope.
func TestScopes(t *testing.T) {
	t.Parallel()
	deadline := pod(func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(0)) })
	classed := pod(func(p *corev1.Pod) { p.Spec.PriorityClassName = "high" })
	busy := pod(needs(list("cpu", "1"), nil))
	near := pod(func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{Namespaces: []string{"o"}}}}}
	})
	far := pod(func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
			{PodAffinityTerm: corev1.PodAffinityTerm{NamespaceSelector: &metav1.LabelSelector{}}},
		}}}
	})
	gold := &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeAttributesClassName: new("gold")}}
	becoming := &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{
		CurrentVolumeAttributesClassName: new("tin"), ModifyVolumeStatus: &corev1.ModifyVolumeStatus{TargetVolumeAttributesClassName: "gold"},
	}}
	const exists, in, notIn, without = corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn, corev1.ScopeSelectorOpDoesNotExist
	for name, tc := range map[string]struct {
		obj      runtime.Object
		scope    corev1.ResourceQuotaScope
		operator corev1.ScopeSelectorOperator
		values   []string
		want     bool
	}{
		"deadline, terminating":        {deadline, "Terminating", exists, nil, true},
		"deadline, not terminating":    {deadline, "NotTerminating", exists, nil, false},
		"no deadline, not terminating": {pod(), "NotTerminating", exists, nil, true},
		"nothing, best effort":         {pod(), "BestEffort", exists, nil, true},
		"something, best effort":       {busy, "BestEffort", exists, nil, false},
		"something, not best effort":   {busy, "NotBestEffort", exists, nil, true},
		"class":                        {classed, "PriorityClass", exists, nil, true},
		"no class":                     {pod(), "PriorityClass", exists, nil, false},
		"this class":                   {classed, "PriorityClass", in, []string{"low", "high"}, true},
		"other class":                  {classed, "PriorityClass", in, []string{"low"}, false},
		"not other class":              {classed, "PriorityClass", notIn, []string{"low"}, true},
		"not without class":            {classed, "PriorityClass", without, nil, false},
		"without class":                {pod(), "PriorityClass", without, nil, true},
		"near pods of others":          {near, "CrossNamespacePodAffinity", exists, nil, true},
		"far from pods of others":      {far, "CrossNamespacePodAffinity", exists, nil, true},
		"wherever":                     {pod(), "CrossNamespacePodAffinity", exists, nil, false},
		"claim, attributes":            {gold, "VolumeAttributesClass", exists, nil, true},
		"claim, these attributes":      {gold, "VolumeAttributesClass", in, []string{"gold"}, true},
		"claim, attributes to come":    {becoming, "VolumeAttributesClass", in, []string{"gold"}, true},
		"claim, attributes there are":  {becoming, "VolumeAttributesClass", in, []string{"tin"}, true},
		"claim, no attributes":         {&corev1.PersistentVolumeClaim{}, "VolumeAttributesClass", notIn, []string{"gold"}, true},
		"claim, scope of pods":         {gold, "BestEffort", exists, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind, what := "pods", corev1.ResourceName("pods")
			if _, ok := tc.obj.(*corev1.PersistentVolumeClaim); ok {
				kind, what = "persistentvolumeclaims", "persistentvolumeclaims"
			}
			e := evaluator(t, nil, kind)
			scope := corev1.ScopedResourceSelectorRequirement{ScopeName: tc.scope, Operator: tc.operator, Values: tc.values}
			q := &corev1.ResourceQuota{
				Spec:   corev1.ResourceQuotaSpec{ScopeSelector: &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{scope}}},
				Status: corev1.ResourceQuotaStatus{Hard: corev1.ResourceList{what: resource.MustParse("1")}},
			}
			got, err := e.Matches(q, tc.obj)
			if err != nil || got != tc.want {
				t.Errorf("matches: %v, %v, want %v", got, err, tc.want)
			}
			scopes, err := e.MatchingScopes(tc.obj, q.Spec.ScopeSelector.MatchExpressions)
			if err != nil || (len(scopes) == 1) != tc.want {
				t.Errorf("scopes: %v, %v", scopes, err)
			}
		})
	}
}

// What objects use.
func TestUsage(t *testing.T) {
	t.Parallel()
	ended := pod(needs(list("cpu", "1"), nil), func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
	stuck := pod(func(p *corev1.Pod) {
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now().Add(-time.Minute)}, new(int64(30))
	})
	service := func(kind corev1.ServiceType, allocate *bool, ports ...int32) *corev1.Service {
		out := &corev1.Service{Spec: corev1.ServiceSpec{Type: kind, AllocateLoadBalancerNodePorts: allocate}}
		for _, port := range ports {
			out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{NodePort: port})
		}
		return out
	}
	claim := &corev1.PersistentVolumeClaim{
		Spec:   corev1.PersistentVolumeClaimSpec{StorageClassName: new("gold"), Resources: corev1.VolumeResourceRequirements{Requests: list("storage", "1500m")}},
		Status: corev1.PersistentVolumeClaimStatus{AllocatedResources: list("storage", "3500m")},
	}
	for name, tc := range map[string]struct {
		kind string
		obj  runtime.Object
		want corev1.ResourceList
	}{
		"pod": {"pods", pod(needs(list("cpu", "1", "memory", "1Mi", "ephemeral-storage", "1Gi", "hugepages-2Mi", "2Mi", "example.com/gpu", "2"), list("cpu", "2", "memory", "2Mi"))), list(
			"count/pods", "1", "pods", "1", "cpu", "1", "requests.cpu", "1", "limits.cpu", "2", "memory", "1Mi", "requests.memory", "1Mi", "limits.memory", "2Mi",
			"ephemeral-storage", "1Gi", "requests.ephemeral-storage", "1Gi", "hugepages-2Mi", "2Mi", "requests.hugepages-2Mi", "2Mi", "requests.example.com/gpu", "2")},
		"hub":       {"pods", (*core.Pod)(pod()), list("count/pods", "1", "pods", "1")},
		"ended pod": {"pods", ended, list("count/pods", "1")},
		"stuck pod": {"pods", stuck, list("count/pods", "1")},
		"service":   {"services", service(corev1.ServiceTypeClusterIP, nil, 0), list("count/services", "1", "services", "1", "services.nodeports", "0", "services.loadbalancers", "0")},
		"node port": {"services", service(corev1.ServiceTypeNodePort, nil, 0, 0), list("count/services", "1", "services", "1", "services.nodeports", "2", "services.loadbalancers", "0")},
		"balancer":  {"services", service(corev1.ServiceTypeLoadBalancer, nil, 0), list("count/services", "1", "services", "1", "services.nodeports", "1", "services.loadbalancers", "1")},
		"balancer with own ports": {"services", service(corev1.ServiceTypeLoadBalancer, new(false), 0, 30000),
			list("count/services", "1", "services", "1", "services.nodeports", "1", "services.loadbalancers", "1")},
		"claim": {"persistentvolumeclaims", claim, list("persistentvolumeclaims", "1", "count/persistentvolumeclaims", "1", "requests.storage", "4",
			"gold.storageclass.storage.k8s.io/persistentvolumeclaims", "1", "gold.storageclass.storage.k8s.io/requests.storage", "4")},
		"secret": {"secrets", &corev1.Secret{}, list("secrets", "1", "count/secrets", "1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := evaluator(t, nil, tc.kind).Usage(tc.obj)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

// Devices of a class that stands for an extended resource count as that, once.
func TestDevices(t *testing.T) {
	t.Parallel()
	exactly := func(class string, mode resourcev1.DeviceAllocationMode, n int64) resourcev1.DeviceRequest {
		return resourcev1.DeviceRequest{Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: class, AllocationMode: mode, Count: n}}
	}
	claim := func(requests ...resourcev1.DeviceRequest) *resourcev1.ResourceClaim {
		return &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "c"}, Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{Requests: requests}}}
	}
	const exact = resourcev1.DeviceAllocationModeExactCount
	either := resourcev1.DeviceRequest{FirstAvailable: []resourcev1.DeviceSubRequest{
		{DeviceClassName: "gpu", AllocationMode: exact, Count: 3}, {DeviceClassName: "gpu", AllocationMode: exact, Count: 2}, {DeviceClassName: "nic", AllocationMode: exact, Count: 1},
	}}
	scheduled := claim(exactly("gpu", exact, 3))
	scheduled.Annotations = map[string]string{"resource.kubernetes.io/extended-resource-claim": "true"}
	scheduled.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "p", UID: "1", Controller: new(true)}}
	second := scheduled.DeepCopy()
	second.Name = "d"
	owner := pod(needs(list("example.com/gpu", "2"), nil))
	owner.Namespace, owner.Name, owner.UID = "n", "p", "1"
	devices := &quota.Devices{Done: t.Context().Done(), Client: fake.NewClientset(
		&resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: "gpu"}, Spec: resourcev1.DeviceClassSpec{ExtendedResourceName: new("example.com/gpu")}},
		&resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: "nic"}}, owner, scheduled, second,
	)}
	e := evaluator(t, devices, "resourceclaims")
	const gpus, implicit, extended = "gpu.deviceclass.resource.k8s.io/devices", "requests.deviceclass.resource.kubernetes.io/gpu", "requests.example.com/gpu"
	const nics, implicitNics, n = "nic.deviceclass.resource.k8s.io/devices", "requests.deviceclass.resource.kubernetes.io/nic", "count/resourceclaims.resource.k8s.io"
	for name, tc := range map[string]struct {
		claim *resourcev1.ResourceClaim
		want  corev1.ResourceList
	}{
		"nothing":             {claim(), list(n, "1")},
		"some":                {claim(exactly("gpu", exact, 2), exactly("gpu", exact, 1)), list(n, "1", gpus, "3", implicit, "3", extended, "3")},
		"all":                 {claim(exactly("nic", resourcev1.DeviceAllocationModeAll, 0)), list(n, "1", nics, "32", implicitNics, "32")},
		"of a later version":  {claim(exactly("nic", "Half", 7)), list(n, "1", nics, "0")},
		"the most of each":    {claim(either), list(n, "1", gpus, "3", implicit, "3", extended, "3", nics, "1", implicitNics, "1")},
		"charged to its pod":  {scheduled, list(n, "1", gpus, "3", implicit, "3", extended, "1")},
		"another of that pod": {second, list(n, "1", gpus, "3", implicit, "3", extended, "3")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := e.Usage(tc.claim)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
	limited := e.MatchingResources([]corev1.ResourceName{n, gpus, implicit, extended, implicitNics, "requests.example.com/other", "requests.cpu"})
	if diff := cmp.Diff([]corev1.ResourceName{n, gpus, implicit, extended}, limited); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// Which requests may change what is used.
func TestHandles(t *testing.T) {
	t.Parallel()
	hurried := (*core.Pod)(pod(func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(5)) }))
	grown := &core.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{AllocatedResources: list("storage", "2Gi")}}
	for name, tc := range map[string]struct {
		kind, subresource string
		obj, old          runtime.Object
		want              bool
	}{
		"new pod":         {kind: "pods", obj: &core.Pod{}, want: true},
		"changed pod":     {kind: "pods", obj: &core.Pod{}, old: &core.Pod{}},
		"another scope":   {kind: "pods", obj: hurried, old: &core.Pod{}, want: true},
		"resized pod":     {kind: "pods", subresource: "resize", obj: &core.Pod{}, old: &core.Pod{}, want: true},
		"status of a pod": {kind: "pods", subresource: "status", obj: &core.Pod{}, old: &core.Pod{}},
		"bound pod":       {kind: "pods", subresource: "binding", obj: &core.Binding{}},
		"changed service": {kind: "services", obj: &core.Service{}, old: &core.Service{}, want: true},
		"status":          {kind: "services", subresource: "status", obj: &core.Service{}, old: &core.Service{}},
		"changed claim":   {kind: "persistentvolumeclaims", obj: grown, old: grown, want: true},
		"grown claim":     {kind: "persistentvolumeclaims", subresource: "status", obj: grown, old: &core.PersistentVolumeClaim{}, want: true},
		"claim as it was": {kind: "persistentvolumeclaims", subresource: "status", obj: grown, old: grown},
		"new secret":      {kind: "secrets", obj: &core.Secret{}, want: true},
		"changed secret":  {kind: "secrets", obj: &core.Secret{}, old: &core.Secret{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			operation := admission.Create
			if tc.old != nil {
				operation = admission.Update
			}
			a := admission.NewAttributesRecord(tc.obj, tc.old, schema.GroupVersionKind{}, "n", "x", corev1.SchemeGroupVersion.WithResource(tc.kind), tc.subresource, operation, nil, false, nil)
			if got := evaluator(t, nil, tc.kind).Handles(a); got != tc.want {
				t.Errorf("handles: %v, want %v", got, tc.want)
			}
		})
	}
}

// A digest changes with what an object uses, and not with anything else.
func TestDigest(t *testing.T) {
	t.Parallel()
	named := pod(func(p *corev1.Pod) { p.Name = "other" })
	ended := pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })
	if quota.Digest(pod()) != quota.Digest(named) || quota.Digest(pod()) == quota.Digest(ended) {
		t.Errorf("digests %q, %q, %q", quota.Digest(pod()), quota.Digest(named), quota.Digest(ended))
	}
}

// Who waits for charges waits for those that are there, in his namespace.
func TestCharges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var charges quota.Charges
		first, end := context.WithCancel(t.Context())
		charges.Add(first, "n")
		charges.Add(t.Context(), "other")
		over := 0
		if !charges.After(func() { over++ }, "n") || charges.After(func() { over++ }, "none") {
			t.Error("does not wait where there is something to wait for, or waits elsewhere")
		}
		second, endSecond := context.WithCancel(t.Context())
		charges.Add(second, "n")
		charges.After(func() { over += 10 }, "n")
		end()
		synctest.Wait()
		if over != 1 {
			t.Errorf("after the first: %d", over)
		}
		endSecond()
		synctest.Wait()
		if over != 11 || charges.After(func() {}, "n") {
			t.Errorf("after both: %d", over)
		}
	})
}

// What a host stores is waited for until it has, or cannot any more.
func TestExpect(t *testing.T) {
	t.Parallel()
	const within = time.Minute
	for name, tc := range map[string]struct {
		version string
		then    func(charges *quota.Charges, refused func())
		over    bool
		lost    string
	}{
		"nothing comes":       {"", func(*quota.Charges, func()) {}, false, "n"},
		"it comes":            {"", func(c *quota.Charges, _ func()) { c.Stored("u", "7") }, true, ""},
		"another one comes":   {"", func(c *quota.Charges, _ func()) { c.Stored("v", "7") }, false, "n"},
		"it is refused":       {"", func(_ *quota.Charges, refused func()) { refused() }, true, ""},
		"it was there before": {"10", func(c *quota.Charges, _ func()) { c.Stored("u", "9"); c.Stored("u", "10") }, false, "n"},
		"it changes":          {"9", func(c *quota.Charges, _ func()) { c.Stored("u", "10") }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var charges quota.Charges
				lost := ""
				stop := charges.Lost(func(namespace string) { lost += namespace })
				defer stop()
				deaf := charges.Lost(func(string) { t.Error("hears more than he wants") })
				deaf()
				refused := charges.Expect(quota.Expected{Namespace: "n", UID: "u", Version: tc.version, Within: within})
				over := false
				charges.After(func() { over = true }, "n")
				tc.then(&charges, refused)
				if over != tc.over {
					t.Errorf("over: %t, want %t", over, tc.over)
				}
				<-time.After(within) // of the bubble
				synctest.Wait()
				if !over || lost != tc.lost {
					t.Errorf("in the end over is %t and lost %q, want %q", over, lost, tc.lost)
				}
			})
		})
	}
}
