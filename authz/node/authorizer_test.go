// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node_test

import (
	"context"
	"testing"
	"testing/synctest"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/stoa-project/stoa/authz/node"
)

// rules are what all nodes may do here.
func rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"services"}},
		{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"secrets", "pods", "nodes"}}, // narrowed
	}
}

// start runs an authorizer on a client until the test ends.
func start(t *testing.T, client kubernetes.Interface) *node.Authorizer {
	t.Helper()
	a := node.New(rules(), node.Sources(client))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return a
}

func kubelet(name string) user.Info {
	return &user.DefaultInfo{Name: "system:node:" + name, Groups: []string{"system:nodes", "system:authenticated"}}
}

// request is one of node n1, or of who.
type request struct {
	who                                                 user.Info
	verb, group, resource, subresource, namespace, name string
	selector                                            string
	path                                                string
}

// answer is "yes", or the reason, or "no" without one.
func answer(t *testing.T, a authorizer.Authorizer, r request) string {
	t.Helper()
	attributes := authorizer.AttributesRecord{
		User: r.who, Verb: r.verb, APIGroup: r.group, Resource: r.resource, Subresource: r.subresource, Namespace: r.namespace, Name: r.name,
		ResourceRequest: r.path == "", Path: r.path,
	}
	if r.who == nil {
		attributes.User = kubelet("n1")
	}
	if r.selector != "" {
		selector, err := fields.ParseSelector(r.selector)
		if err != nil {
			t.Fatal(err)
		}
		attributes.FieldSelectorRequirements = selector.Requirements()
	}
	decision, reason, err := a.Authorize(t.Context(), attributes)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case decision == authorizer.DecisionAllow:
		return "yes"
	case decision != authorizer.DecisionNoOpinion:
		return "denied"
	case reason == "":
		return "no"
	}
	return reason
}

const unrelated = "no relationship found between node 'n1' and this object"

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ns", Name: name} }

func claimVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}
}

func secretVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}
}

// everyKind is a pod that names something of every kind.
func everyKind(node string) *corev1.Pod {
	env := func(from corev1.EnvVarSource) []corev1.EnvVar { return []corev1.EnvVar{{Name: "A", ValueFrom: &from}} }
	ref := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	return &corev1.Pod{
		ObjectMeta: meta("every"),
		Spec: corev1.PodSpec{
			NodeName: node, ServiceAccountName: "robot", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}, {}},
			InitContainers: []corev1.Container{{Env: env(corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref("init-env")}})}},
			Containers: []corev1.Container{{
				Env:     env(corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref("map-env")}}),
				EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("env-from")}}, {ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref("map-from")}}},
			}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("ephemeral")}}},
			}}},
			Volumes: []corev1.Volume{
				secretVolume("volume"), secretVolume("volume"), claimVolume("claim"),
				{Name: "map", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref("map-volume")}}},
				{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
				{Name: "projected", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{Secret: &corev1.SecretProjection{LocalObjectReference: ref("projected")}}, {ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref("map-projected")}},
				}}}},
				{Name: "csi", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: &corev1.LocalObjectReference{Name: "publish"}}}},
			},
			ResourceClaims: []corev1.PodResourceClaim{
				{Name: "a", ResourceClaimName: new("gpu")}, {Name: "b", ResourceClaimTemplateName: new("template")}, {Name: "c", ResourceClaimTemplateName: new("template")},
			},
		},
		Status: corev1.PodStatus{
			ResourceClaimStatuses:       []corev1.PodResourceClaimStatus{{Name: "b", ResourceClaimName: new("generated")}, {Name: "c"}},
			ExtendedResourceClaimStatus: &corev1.PodExtendedResourceClaimStatus{ResourceClaimName: "extended"},
		},
	}
}

// objects are those of the tables: what n1 is related to, and the same for n2.
func objects() []runtime.Object {
	volume := func(name, claim string, secrets ...string) *corev1.PersistentVolume {
		csi := &corev1.CSIPersistentVolumeSource{ControllerPublishSecretRef: &corev1.SecretReference{Namespace: "vault", Name: "controller"}}
		for i, to := range []**corev1.SecretReference{&csi.NodePublishSecretRef, &csi.NodeStageSecretRef, &csi.NodeExpandSecretRef} {
			if i < len(secrets) {
				*to = &corev1.SecretReference{Namespace: "vault", Name: secrets[i]}
			}
		}
		out := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: csi}}}
		if claim != "" {
			out.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "ns", Name: claim}
		}
		return out
	}
	mirror := everyKind("n3")
	mirror.Name, mirror.Annotations = "mirror", map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	pending := everyKind("")
	pending.Name = "pending"
	other := &corev1.Pod{ObjectMeta: meta("other"), Spec: corev1.PodSpec{NodeName: "n2", ServiceAccountName: "other", Volumes: []corev1.Volume{secretVolume("other"), claimVolume("other")}}}
	attachment := func(name, node string) *storagev1.VolumeAttachment {
		return &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: storagev1.VolumeAttachmentSpec{NodeName: node}}
	}
	slice := func(name string, node *string) *resourcev1.ResourceSlice {
		return &resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: resourcev1.ResourceSliceSpec{NodeName: node}}
	}
	return []runtime.Object{
		everyKind("n1"), mirror, pending, other,
		volume("disk", "claim", "one", "two", "three"), volume("second", "claim"), volume("other", "other", "other"), volume("free", ""),
		attachment("mine", "n1"), attachment("theirs", "n2"),
		slice("mine", new("n1")), slice("theirs", new("n2")), slice("network", nil),
		&certificatesv1.PodCertificateRequest{ObjectMeta: meta("mine"), Spec: certificatesv1.PodCertificateRequestSpec{NodeName: "n1"}},
		&certificatesv1.PodCertificateRequest{ObjectMeta: meta("theirs"), Spec: certificatesv1.PodCertificateRequestSpec{NodeName: "n2"}},
	}
}

// TestRelated asks for objects that belong to pods of n1, and for others.
func TestRelated(t *testing.T) {
	t.Parallel()
	a := start(t, fake.NewClientset(objects()...))
	type list = []string
	for _, tc := range []struct {
		verb, group, resource, subresource, namespace string
		related, not                                  list
	}{
		{"get", "", "secrets", "", "ns", list{"pull", "init-env", "env-from", "ephemeral", "volume", "projected", "publish"}, list{"other", "one", "claim", "x"}},
		{"get", "", "secrets", "", "vault", list{"one", "two", "three"}, list{"controller", "other", "volume"}},
		{"list", "", "secrets", "", "ns", list{"volume"}, list{"other"}},
		{"watch", "", "secrets", "", "ns", list{"volume"}, list{"other"}},
		{"get", "", "secrets", "", "other", nil, list{"volume"}},
		{"get", "", "configmaps", "", "ns", list{"map-env", "map-from", "map-volume", "map-projected"}, list{"volume", "other"}},
		{"watch", "", "configmaps", "", "ns", list{"map-env"}, list{"other"}},
		{"get", "", "persistentvolumeclaims", "", "ns", list{"claim", "every-scratch"}, list{"other", "scratch"}},
		{"update", "", "persistentvolumeclaims", "status", "ns", list{"claim"}, list{"other"}},
		{"patch", "", "persistentvolumeclaims", "status", "ns", list{"claim"}, list{"other"}},
		{"get", "", "persistentvolumes", "", "", list{"disk", "second"}, list{"other", "free"}},
		{"get", "", "serviceaccounts", "", "ns", list{"robot"}, list{"other", "default"}},
		{"create", "", "serviceaccounts", "token", "ns", list{"robot"}, list{"other", "default"}},
		{"get", "", "pods", "", "ns", list{"every"}, list{"other", "pending", "mirror", "x"}},
		{"watch", "", "pods", "", "ns", list{"every"}, list{"other", "mirror"}},
		{"get", "resource.k8s.io", "resourceclaims", "", "ns", list{"gpu", "generated", "extended"}, list{"template", "b", "c"}},
		{"get", "resource.k8s.io", "resourceslices", "", "", list{"mine"}, list{"theirs", "network"}},
		{"delete", "resource.k8s.io", "resourceslices", "", "", list{"mine"}, list{"theirs", "network"}},
		{"get", "storage.k8s.io", "volumeattachments", "", "", list{"mine"}, list{"theirs"}},
		{"get", "certificates.k8s.io", "podcertificaterequests", "", "ns", list{"mine"}, list{"theirs"}},
	} {
		r := request{verb: tc.verb, group: tc.group, resource: tc.resource, subresource: tc.subresource, namespace: tc.namespace}
		for _, r.name = range tc.related {
			if got := answer(t, a, r); got != "yes" {
				t.Errorf("%+v: %s, want yes", r, got)
			}
		}
		for _, r.name = range tc.not {
			if got := answer(t, a, r); got != unrelated {
				t.Errorf("%+v: %s, want %s", r, got, unrelated)
			}
		}
	}
	mirror := request{who: kubelet("n3"), verb: "get", resource: "pods", namespace: "ns", name: "mirror"}
	if got := answer(t, a, mirror); got != "yes" {
		t.Errorf("a mirror pod: %s", got)
	}
	mirror.resource, mirror.name = "secrets", "volume"
	if got := answer(t, a, mirror); got != "no relationship found between node 'n3' and this object" {
		t.Errorf("a secret of a mirror pod: %s", got)
	}
}

// TestRequests is about what can be said without knowing the objects. Nothing runs that
// could tell.
func TestRequests(t *testing.T) {
	t.Parallel()
	a := node.New(rules(), nil)
	const (
		onlyRead    = "can only read resources of this type"
		onlyGet     = "can only get individual resources of this type"
		onlyTokens  = "can only create tokens for individual service accounts"
		onlyOwnPods = "can only list/watch pods with spec.nodeName field selector"
		sliceVerbs  = "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection"
		ownSlices   = "can only list/watch/deletecollection resourceslices with nodeName field selector"
		leaseVerbs  = "can only get, create, update, patch, or delete a node lease"
		ownLease    = "can only access node lease with the same name as the requesting node"
		csiVerbs    = "can only get, create, update, patch, or delete a CSINode"
		ownCSI      = "can only access CSINode with the same name as the requesting node"
		ownRequests = "can only list/watch podcertificaterequests with nodeName field selector"
		certs, dra  = "certificates.k8s.io", "resource.k8s.io"
		leases, csi = "coordination.k8s.io", "storage.k8s.io"
		lease       = "kube-node-lease"
	)
	for _, tc := range []struct {
		request

		want string
	}{
		{request{who: &user.DefaultInfo{Name: "ann", Groups: []string{"system:nodes"}}, verb: "get", resource: "services"}, "no"},
		{request{who: &user.DefaultInfo{Name: "system:node:n1"}, verb: "get", resource: "services"}, "no"},
		{request{who: kubelet(""), verb: "get", resource: "services"}, `unknown node for user "system:node:"`},
		{request{verb: "get", resource: "services", namespace: "ns", name: "x"}, "yes"},
		{request{verb: "delete", resource: "services", namespace: "ns", name: "x"}, "no"},
		{request{verb: "get", path: "/metrics"}, "no"},

		{request{verb: "update", resource: "secrets", namespace: "ns", name: "x"}, onlyRead},
		{request{verb: "deletecollection", resource: "configmaps", namespace: "ns"}, onlyRead},
		{request{verb: "get", resource: "secrets", subresource: "status", namespace: "ns", name: "x"}, "cannot read subresource"},
		{request{verb: "list", resource: "secrets"}, "can only read namespaced object of this type"},
		{request{verb: "list", resource: "secrets", namespace: "ns"}, "No Object name found"},

		{request{verb: "list", resource: "persistentvolumes"}, onlyGet},
		{request{verb: "get", resource: "persistentvolumes", subresource: "status", name: "x"}, "cannot get subresource"},
		{request{verb: "update", resource: "persistentvolumeclaims", namespace: "ns", name: "x"}, onlyGet},
		{request{verb: "get", resource: "persistentvolumeclaims", subresource: "status", namespace: "ns", name: "x"}, "can only get/update/patch this type"},
		{request{verb: "list", group: dra, resource: "resourceclaims", namespace: "ns"}, onlyGet},
		{request{verb: "list", group: csi, resource: "volumeattachments"}, onlyGet},

		{request{verb: "list", resource: "serviceaccounts", namespace: "ns"}, onlyTokens},
		{request{verb: "create", resource: "serviceaccounts", namespace: "ns"}, onlyTokens},
		{request{verb: "create", resource: "serviceaccounts", namespace: "ns", name: "x"}, "can only create token subresource of serviceaccount"},

		{request{verb: "get", resource: "nodes", name: "n1"}, "yes"},
		{request{verb: "watch", resource: "nodes", name: "n1"}, "yes"},
		{request{verb: "get", resource: "nodes", name: "n2"}, "node 'n1' cannot read 'n2', only its own Node object"},
		{request{verb: "list", resource: "nodes"}, "node 'n1' cannot read all nodes, only its own Node object"},
		{request{verb: "create", resource: "nodes"}, "yes"},
		{request{verb: "patch", resource: "nodes", name: "n1"}, "yes"},
		{request{verb: "patch", resource: "nodes", subresource: "status", name: "n1"}, "yes"},
		{request{verb: "delete", resource: "nodes", name: "n1"}, "no"},
		{request{verb: "get", resource: "nodes", subresource: "proxy", name: "n1"}, "no"},

		{request{verb: "list", resource: "pods", selector: "spec.nodeName=n1,status.phase!=Failed"}, "yes"},
		{request{verb: "watch", resource: "pods", selector: "spec.nodeName=n1"}, "yes"},
		{request{verb: "list", resource: "pods", selector: "spec.nodeName=n2"}, onlyOwnPods},
		{request{verb: "list", resource: "pods", selector: "spec.nodeName!=n1"}, onlyOwnPods},
		{request{verb: "list", resource: "pods", namespace: "ns"}, onlyOwnPods},
		{request{verb: "create", resource: "pods", namespace: "ns"}, "yes"},
		{request{verb: "delete", resource: "pods", namespace: "ns", name: "x"}, "yes"},
		{request{verb: "update", resource: "pods", namespace: "ns", name: "x"}, "no"},
		{request{verb: "deletecollection", resource: "pods", namespace: "ns"}, "no"},
		{request{verb: "patch", resource: "pods", subresource: "status", namespace: "ns", name: "x"}, "yes"},
		{request{verb: "get", resource: "pods", subresource: "status", namespace: "ns", name: "x"}, "no"},
		{request{verb: "create", resource: "pods", subresource: "eviction", namespace: "ns", name: "x"}, "yes"},
		{request{verb: "create", resource: "pods", subresource: "exec", namespace: "ns", name: "x"}, "no"},

		{request{verb: "create", group: dra, resource: "resourceslices"}, "yes"},
		{request{verb: "list", group: dra, resource: "resourceslices", selector: "spec.nodeName=n1"}, "yes"},
		{request{verb: "deletecollection", group: dra, resource: "resourceslices", selector: "spec.nodeName=n1"}, "yes"},
		{request{verb: "deletecollection", group: dra, resource: "resourceslices", selector: "spec.driver=x"}, ownSlices},
		{request{verb: "list", group: dra, resource: "resourceslices"}, ownSlices},
		{request{verb: "bind", group: dra, resource: "resourceslices", name: "x"}, sliceVerbs},
		{request{verb: "get", group: dra, resource: "resourceslices", subresource: "status", name: "x"}, "cannot authorize ResourceSlice subresources"},

		{request{verb: "create", group: leases, resource: "leases", namespace: lease}, "yes"},
		{request{verb: "update", group: leases, resource: "leases", namespace: lease, name: "n1"}, "yes"},
		{request{verb: "update", group: leases, resource: "leases", namespace: lease, name: "n2"}, ownLease},
		{request{verb: "get", group: leases, resource: "leases", namespace: "ns", name: "n1"}, `can only access leases in the "kube-node-lease" system namespace`},
		{request{verb: "list", group: leases, resource: "leases", namespace: lease}, leaseVerbs},

		{request{verb: "create", group: csi, resource: "csinodes"}, "yes"},
		{request{verb: "get", group: csi, resource: "csinodes", name: "n1"}, "yes"},
		{request{verb: "get", group: csi, resource: "csinodes", name: "n2"}, ownCSI},
		{request{verb: "list", group: csi, resource: "csinodes"}, csiVerbs},
		{request{verb: "get", group: csi, resource: "csinodes", subresource: "status", name: "n1"}, "cannot authorize CSINode subresources"},

		{request{verb: "create", group: certs, resource: "podcertificaterequests", namespace: "ns"}, "yes"},
		{request{verb: "watch", group: certs, resource: "podcertificaterequests", selector: "spec.nodeName=n1"}, "yes"},
		{request{verb: "list", group: certs, resource: "podcertificaterequests", namespace: "ns"}, ownRequests},
		{request{verb: "delete", group: certs, resource: "podcertificaterequests", namespace: "ns", name: "x"}, "nodes may not delete podcertificaterequests"},
		{
			request{verb: "update", group: certs, resource: "podcertificaterequests", subresource: "status", namespace: "ns", name: "x"},
			"nodes may not access the status subresource of PodCertificateRequests",
		},
	} {
		if got := answer(t, a, tc.request); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.request, got, tc.want)
		}
	}
}

// TestChanges has relations come and go.
func TestChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a := start(t, client)
		ctx := t.Context()
		get := func(resource, namespace, name string) request {
			return request{verb: "get", resource: resource, namespace: namespace, name: name}
		}
		want := func(what string, want string, requests ...request) {
			t.Helper()
			synctest.Wait()
			for _, r := range requests {
				if got := answer(t, a, r); got != want {
					t.Errorf("%s: %+v: %s, want %s", what, r, got, want)
				}
			}
		}
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		secret, key, disk := get("secrets", "ns", "s"), get("secrets", "vault", "key"), get("persistentvolumes", "", "disk")
		want("nothing there", unrelated, secret, key, disk)

		pod := &corev1.Pod{ObjectMeta: meta("a"), Spec: corev1.PodSpec{Volumes: []corev1.Volume{secretVolume("s"), claimVolume("c")}}}
		_, err := client.CoreV1().Pods("ns").Create(ctx, pod, metav1.CreateOptions{})
		check(err)
		want("a pod without a node", unrelated, secret)
		pod.Spec.NodeName = "n1"
		_, err = client.CoreV1().Pods("ns").Update(ctx, pod, metav1.UpdateOptions{})
		check(err)
		want("bound", "yes", secret, get("persistentvolumeclaims", "ns", "c"))
		want("no volume yet", unrelated, key, disk)

		volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Spec: corev1.PersistentVolumeSpec{
			ClaimRef:               &corev1.ObjectReference{Namespace: "ns", Name: "c"},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{NodeStageSecretRef: &corev1.SecretReference{Namespace: "vault", Name: "key"}}},
		}}
		_, err = client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
		check(err)
		want("a volume", "yes", key, disk)

		second := pod.DeepCopy()
		second.Name = "b"
		_, err = client.CoreV1().Pods("ns").Create(ctx, second, metav1.CreateOptions{})
		check(err)
		check(client.CoreV1().Pods("ns").Delete(ctx, "a", metav1.DeleteOptions{}))
		want("the second pod", "yes", secret, key, disk, get("pods", "ns", "b"))
		want("the first pod", unrelated, get("pods", "ns", "a"))

		volume.Spec.ClaimRef.Name = "d"
		_, err = client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{})
		check(err)
		want("a volume for another claim", unrelated, key, disk)
		volume.Spec.ClaimRef.Name = "c"
		_, err = client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{})
		check(err)
		want("and back", "yes", key, disk)

		check(client.CoreV1().Pods("ns").Delete(ctx, "b", metav1.DeleteOptions{}))
		want("no pod", unrelated, secret, key, disk)
		_, err = client.CoreV1().Pods("ns").Create(ctx, second, metav1.CreateOptions{})
		check(err)
		want("again", "yes", secret, key, disk)
		check(client.CoreV1().PersistentVolumes().Delete(ctx, "disk", metav1.DeleteOptions{}))
		want("no volume", unrelated, key, disk)
		want("the rest", "yes", secret)
	})
}

// TestLazy asks a client for nothing before a node needs it, and waits for the answer no
// longer than patience.
func TestLazy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a := start(t, client)
		own := request{verb: "get", resource: "nodes", name: "n1"}
		if got := answer(t, a, own); got != "yes" {
			t.Errorf("the own node: %s", got)
		}
		synctest.Wait()
		if got := client.Actions(); len(got) > 0 {
			t.Errorf("asked for %v", got)
		}
		if got := answer(t, a, request{verb: "get", resource: "secrets", namespace: "ns", name: "x"}); got != unrelated {
			t.Errorf("a secret: %s", got)
		}
		if got := client.Actions(); len(got) < 5 {
			t.Errorf("asked for %v, want 5 resources", got)
		}
		// Nobody runs this one.
		got := answer(t, node.New(nil, nil), request{verb: "get", resource: "secrets", namespace: "ns", name: "x"})
		if want := "error: it is not known yet which objects belong to the node"; got != want {
			t.Errorf("nothing is known: %s, want %s", got, want)
		}
	})
}

// TestRulesFor says that the rules of nodes cannot be listed.
func TestRulesFor(t *testing.T) {
	t.Parallel()
	a := node.New(rules(), nil)
	_, _, incomplete, err := a.RulesFor(t.Context(), kubelet("n1"), "ns")
	if want := "node authorizer does not support user rule resolution"; !incomplete || err == nil || err.Error() != want {
		t.Errorf("a node: %t, %v, want %s", incomplete, err, want)
	}
	if _, _, incomplete, err := a.RulesFor(t.Context(), &user.DefaultInfo{Name: "ann"}, "ns"); incomplete || err != nil {
		t.Errorf("a user: %t, %v", incomplete, err)
	}
}
