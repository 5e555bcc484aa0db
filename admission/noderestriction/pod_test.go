// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package noderestriction_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/policy"
)

// TestMirrorPods is about the only pods that a node creates.
func TestMirrorPods(t *testing.T) {
	t.Parallel()
	p := settings{objects: []runtime.Object{&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "n1-uid"}}}}.plugin(t)
	create := func(change ...func(*corev1.Pod)) request {
		return request{operation: admission.Create, resource: "pods", namespace: "ns", name: "web", obj: pod(append([]func(*corev1.Pod){mirror}, change...)...)}
	}
	owner := func(change func(*metav1.OwnerReference)) func(*corev1.Pod) {
		return func(p *corev1.Pod) { change(&p.OwnerReferences[0]) }
	}
	env := func(from corev1.EnvVarSource) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Env: []corev1.EnvVar{{ValueFrom: &from}}}}
		}
	}
	ref := corev1.LocalObjectReference{Name: "x"}
	const forbidden = `pods "web" is forbidden: `
	const refers = forbidden + `node "n1" can not create pods that reference `
	rows := []row{
		{"a mirror pod", create(), ""},
		{"with volumes of the node", create(withVolume(corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}), withSource(corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{}})), ""},
		{"no annotation", create(func(p *corev1.Pod) { p.Annotations = nil }), forbidden + `pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods`},
		{"another node", create(onNode("n2")), forbidden + `node "n1" can only create pods with spec.nodeName set to itself`},
		{"no owner", create(func(p *corev1.Pod) { p.OwnerReferences = nil }), forbidden + `node "n1" can only create pods with an owner reference set to itself`},
		{"two owners", create(func(p *corev1.Pod) { p.OwnerReferences = append(p.OwnerReferences, p.OwnerReferences[0]) }), forbidden + `node "n1" can only create pods with a single owner reference set to itself`},
		{"an owner of another kind", create(owner(func(o *metav1.OwnerReference) { o.Kind = "Pod" })), forbidden + `node "n1" can only create pods with an owner reference set to itself`},
		{"another owner", create(owner(func(o *metav1.OwnerReference) { o.Name = "n2" })), forbidden + `node "n1" can only create pods with an owner reference set to itself`},
		{"no controller", create(owner(func(o *metav1.OwnerReference) { o.Controller = new(false) })), forbidden + `node "n1" can only create pods with a controller owner reference set to itself`},
		{"an owner that cannot go", create(owner(func(o *metav1.OwnerReference) { o.BlockOwnerDeletion = new(true) })), forbidden + `node "n1" must not set blockOwnerDeletion on an owner reference`},
		{"an owner that was", create(owner(func(o *metav1.OwnerReference) { o.UID = "old" })), forbidden + "node n1 UID mismatch: expected old got n1-uid"},
		{"an account", create(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "default" }), refers + "serviceaccounts"},
		{"a secret", create(env(corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref}})), refers + "secrets"},
		{"a config map", create(env(corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref}})), refers + "configmaps"},
		{"a resource claim", create(func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{}} }), refers + "resourceclaims"},
		{"no volume", create(withVolume(corev1.VolumeSource{})), forbidden + `error checking mirror pod for API references: unknown volume type for volume  "v"`},
		{"no source", create(withSource(corev1.VolumeProjection{})), forbidden + `error checking mirror pod for API references: unknown source for projected volume "v"`},
	}
	for resource, v := range map[string]corev1.VolumeSource{
		"configmaps (via configmap volumes)":             {ConfigMap: &corev1.ConfigMapVolumeSource{}},
		"secrets (via secret volumes)":                   {Secret: &corev1.SecretVolumeSource{}},
		"csidrivers (via CSI volumes)":                   {CSI: &corev1.CSIVolumeSource{}},
		"endpoints (via glusterFS volumes)":              {Glusterfs: &corev1.GlusterfsVolumeSource{}},
		"persistentvolumeclaims":                         {PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}},
		"persistentvolumeclaims (via ephemeral volumes)": {Ephemeral: &corev1.EphemeralVolumeSource{}},
		"secrets (via azureFile volumes)":                {AzureFile: &corev1.AzureFileVolumeSource{}},
	} {
		rows = append(rows, row{resource, create(withVolume(v)), refers + resource})
	}
	for resource, s := range map[string]corev1.VolumeProjection{
		"configmaps (via projected volumes)":      {ConfigMap: &corev1.ConfigMapProjection{}},
		"secrets (via projected volumes)":         {Secret: &corev1.SecretProjection{}},
		"serviceaccounts (via projected volumes)": {ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}},
		"clustertrustbundles":                     {ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{}},
		"podcertificates":                         {PodCertificate: &corev1.PodCertificateProjection{}},
	} {
		rows = append(rows, row{resource, create(withSource(s)), refers + resource})
	}
	check(t, p, rows)
	check(t, settings{}.plugin(t), []row{{"the node is not there", create(), `nodes "n1" not found`}})
}

// TestPods is about pods that are there.
func TestPods(t *testing.T) {
	t.Parallel()
	p := settings{objects: []runtime.Object{stored(), stored(named("other"), onNode("n2"))}}.plugin(t)
	on := func(operation admission.Operation, subresource string, obj, old runtime.Object) request {
		return request{operation: operation, resource: "pods", subresource: subresource, namespace: "ns", name: "web", obj: obj, old: old}
	}
	evict := func(name, inBody string) request {
		return request{
			operation: admission.Create, resource: "pods", subresource: "eviction", namespace: "ns", name: name,
			obj: &policy.Eviction{ObjectMeta: metav1.ObjectMeta{Name: inBody}},
		}
	}
	labelled := func(p *corev1.Pod) { p.Labels = map[string]string{"a": "b"} }
	status := func(change func(*corev1.PodStatus)) func(*corev1.Pod) {
		return func(p *corev1.Pod) { change(&p.Status) }
	}
	claimed := func(name string) func(*corev1.Pod) {
		return status(func(s *corev1.PodStatus) {
			s.ResourceClaimStatuses = []corev1.PodResourceClaimStatus{{Name: "a", ResourceClaimName: &name}}
		})
	}
	extended := func(name string) func(*corev1.Pod) {
		return status(func(s *corev1.PodStatus) {
			s.ExtendedResourceClaimStatus = &corev1.PodExtendedResourceClaimStatus{ResourceClaimName: name}
		})
	}
	running := status(func(s *corev1.PodStatus) { s.Phase = corev1.PodRunning })
	const forbidden = `pods "web" is forbidden: `
	check(t, p, []row{
		{"update", on(admission.Update, "", pod(), pod()), forbidden + `unexpected operation "UPDATE", node "n1" can only create and delete mirror pods`},
		{"delete", on(admission.Delete, "", nil, pod()), ""},
		{"delete another's", on(admission.Delete, "", nil, pod(onNode("n2"))), forbidden + `node "n1" can only delete pods with spec.nodeName set to itself`},
		{"delete a pending one", on(admission.Delete, "", nil, pod(onNode(""))), forbidden + `node "n1" can only delete pods with spec.nodeName set to itself`},
		{"bind", on(admission.Create, "binding", &core.Binding{}, nil), forbidden + `unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`},

		{"status", on(admission.Update, "status", pod(running), pod()), ""},
		{"create a status", on(admission.Create, "status", pod(), nil), forbidden + `unexpected operation "CREATE"`},
		{"status of another's", on(admission.Update, "status", pod(onNode("n2")), pod(onNode("n2"))), forbidden + `node "n1" can only update pod status for pods with spec.nodeName set to itself`},
		{"labels", on(admission.Update, "status", pod(labelled), pod()), forbidden + `node "n1" cannot update labels through pod status`},
		{"the same claims", on(admission.Update, "status", pod(running, claimed("x"), extended("y")), pod(claimed("x"), extended("y"))), ""},
		{"claims", on(admission.Update, "status", pod(claimed("x")), pod()), forbidden + `node "n1" cannot update resource claim statues`},
		{"other claims", on(admission.Update, "status", pod(claimed("x")), pod(claimed("y"))), forbidden + `node "n1" cannot update resource claim statues`},
		{"an extended claim", on(admission.Update, "status", pod(extended("x")), pod()), forbidden + `node "n1" cannot update extended resource claim status`},

		{"evict", evict("web", "web"), ""},
		{"evict by the body", evict("", "web"), ""},
		{"evict another's", evict("other", ""), `pods "other" is forbidden: node n1 can only evict pods with spec.nodeName set to itself`},
		{"evict nothing", evict("", ""), `pods "Unknown" is forbidden: could not determine pod from request data`},
		{"evict what is gone", evict("gone", ""), `pods "gone" not found`},
		{"evict by a pod", on(admission.Create, "eviction", pod(), nil), forbidden + "unexpected type *core.Pod"},
		{"update an eviction", on(admission.Update, "eviction", pod(), pod()), forbidden + "unexpected operation UPDATE"},
	})
}

// TestClaims is about the status of persistent volume claims.
func TestClaims(t *testing.T) {
	t.Parallel()
	claim := func(change ...func(*core.PersistentVolumeClaim)) *core.PersistentVolumeClaim {
		out := &core.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "data", ResourceVersion: "1"}}
		for _, do := range change {
			do(out)
		}
		return out
	}
	resized := func(c *core.PersistentVolumeClaim) {
		c.ResourceVersion, c.ManagedFields = "", []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
		c.Status.Capacity = corev1.ResourceList{"storage": resource.MustParse("1Gi")}
		c.Status.Conditions = []corev1.PersistentVolumeClaimCondition{{Type: corev1.PersistentVolumeClaimFileSystemResizePending}}
		c.Status.AllocatedResources = c.Status.Capacity
		c.Status.AllocatedResourceStatuses = map[corev1.ResourceName]corev1.ClaimResourceStatus{"storage": corev1.PersistentVolumeClaimNodeResizeInProgress}
	}
	lost := func(c *core.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimLost }
	labelled := func(c *core.PersistentVolumeClaim) { c.Labels = map[string]string{"a": "b"} }
	on := func(operation admission.Operation, subresource string, obj, old runtime.Object) request {
		return request{operation: operation, resource: "persistentvolumeclaims", subresource: subresource, namespace: "ns", name: "data", obj: obj, old: old}
	}
	const forbidden = `persistentvolumeclaims "data" is forbidden: `
	const more = forbidden + `node "n1" is not allowed to update fields other than status.quantity and status.conditions: …`
	check(t, settings{}.plugin(t), []row{
		{"resize", on(admission.Update, "status", claim(resized), claim()), ""},
		{"phase", on(admission.Update, "status", claim(lost), claim()), more},
		{"labels", on(admission.Update, "status", claim(labelled), claim()), more},
		{"the claim", on(admission.Update, "", claim(resized), claim()), forbidden + "may only update PVC status"},
		{"create", on(admission.Create, "", claim(), nil), forbidden + "may only update PVC status"},
		{"create a status", on(admission.Create, "status", claim(), nil), forbidden + `unexpected operation "CREATE"`},
	})
}
