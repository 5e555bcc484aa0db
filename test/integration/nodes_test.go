// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

// kubelet is a client with a certificate of a node.
func kubelet(t *testing.T, dataDir, name string) kubernetes.Interface {
	t.Helper()
	k, _, err := server.ClientKubeconfig(t.Context(), dataDir, pki.Client{User: "system:node:" + name, Groups: []string{"system:nodes"}})
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/kubeconfig"
	if err := pki.WriteKubeconfig(path, k); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return kubernetes.NewForConfigOrDie(config)
}

// asNode is a client of the shared server for a node.
func asNode(t *testing.T, name string) kubernetes.Interface {
	t.Helper()
	return as(t, "system:node:"+name, "system:nodes", "system:authenticated")
}

// podOn returns a pod that is on a node and names the secret s.
func podOn(node, name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		NodeName: node, ServiceAccountName: "default",
		Containers: []corev1.Container{{Name: "a", Image: "a"}},
		Volumes:    []corev1.Volume{{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}}},
	}}
}

// now deletes without waiting.
func now() metav1.DeleteOptions { return metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))} }

// must returns what fails a test if the call that it got did, and returns its result.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused fails the test unless an error has a text.
func refused(t *testing.T, what string, err error, want string) {
	t.Helper()
	if text(err) != want {
		t.Errorf("%s:\n got %s\nwant %s", what, text(err), want)
	}
}

// unrelated is the answer to a node that asks for a secret that its pods do not need.
func unrelated(node, namespace, name string) string {
	return `secrets "` + name + `" is forbidden: User "system:node:` + node + `" cannot get resource "secrets" in API group "" in the namespace "` + namespace +
		`": node: no relationship found between node '` + node + `' and this object`
}

// TestNodeCertificate has nodes read with certificates what their pods need, and lose it
// with the pods.
func TestNodeCertificate(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	started := stoatest.Start(t, stoatest.WithDataDir(dir))
	admin := kubernetes.NewForConfigOrDie(started.Config())
	n1, n2 := kubelet(t, dir, "n1"), kubelet(t, dir, "n2")
	for _, name := range []string{"s", "other"} {
		must(admin.CoreV1().Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))(t)
	}
	get := func(client kubernetes.Interface, name string) error {
		_, err := client.CoreV1().Secrets("default").Get(ctx, name, metav1.GetOptions{})
		return err
	}
	no := func(node, name string) string { return unrelated(node, "default", name) }
	refused(t, "no pod", get(n1, "s"), no("n1", "s"))

	pod := must(admin.CoreV1().Pods("default").Create(ctx, podOn("n1", "web"), metav1.CreateOptions{}))(t)
	eventually(t, func() string { return text(get(n1, "s")) })
	refused(t, "another secret", get(n1, "other"), no("n1", "other"))
	refused(t, "another node", get(n2, "s"), no("n2", "s"))
	const user = `User "system:node:n1" cannot `
	_, err := n1.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{})
	refused(t, "list", err, `secrets is forbidden: `+user+`list resource "secrets" in API group "" in the namespace "default": node: No Object name found`)
	_, err = n1.CoreV1().Secrets("").List(ctx, metav1.ListOptions{})
	refused(t, "list everywhere", err, `secrets is forbidden: `+user+`list resource "secrets" in API group "" at the cluster scope: node: can only read namespaced object of this type`)
	_, err = n1.CoreV1().Secrets("default").Update(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}}, metav1.UpdateOptions{})
	refused(t, "write", err, `secrets "s" is forbidden: `+user+`update resource "secrets" in API group "" in the namespace "default": node: can only read resources of this type`)

	one := func(name string) metav1.ListOptions {
		return metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	}
	if list := must(n1.CoreV1().Secrets("default").List(ctx, one("s")))(t); len(list.Items) != 1 {
		t.Errorf("a list of one has %d", len(list.Items))
	}
	_, err = n1.CoreV1().Secrets("default").Watch(ctx, one("other"))
	refused(t, "watch another", err, `secrets "other" is forbidden: `+user+`watch resource "secrets" in API group "" in the namespace "default": node: no relationship found between node 'n1' and this object`)
	w, err := n1.CoreV1().Secrets("default").Watch(ctx, one("s"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if event := <-w.ResultChan(); event.Object.(*corev1.Secret).Name != "s" {
		t.Errorf("event %v", event)
	}

	if list := must(n1.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=n1"}))(t); len(list.Items) != 1 {
		t.Errorf("the node has %d pods", len(list.Items))
	}
	_, err = n1.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=n2"})
	refused(t, "pods of another", err, `pods is forbidden: `+user+`list resource "pods" in API group "" at the cluster scope: node: can only list/watch pods with spec.nodeName field selector`)

	if err := admin.CoreV1().Pods("default").Delete(ctx, pod.Name, now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if get(n1, "s") == nil {
			return "the secret of a pod that is gone can be read"
		}
		return ""
	})
	refused(t, "the pod is gone", get(n1, "s"), no("n1", "s"))
}

// TestNodeVolumes follows a claim to its volume and the secret of the volume.
func TestNodeVolumes(t *testing.T) {
	t.Parallel()
	namespace, ctx, admin := newNamespace(t), t.Context(), admin(t)
	name := "node-" + namespace
	node := asNode(t, name)
	pod := podOn(name, "web")
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}})
	eventually(t, func() string { // the default account is made by a controller
		_, err := admin.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		return text(err)
	})
	must(admin.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "key"}}, metav1.CreateOptions{}))(t)
	read := func() error {
		_, err := node.CoreV1().Secrets(namespace).Get(ctx, "key", metav1.GetOptions{})
		return err
	}
	refused(t, "no volume", read(), unrelated(name, namespace, "key"))
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Spec: corev1.PersistentVolumeSpec{
		Capacity: corev1.ResourceList{"storage": resource.MustParse("1Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		ClaimRef: &corev1.ObjectReference{Namespace: namespace, Name: "data"},
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
			Driver: "disk.example", VolumeHandle: "1", NodeStageSecretRef: &corev1.SecretReference{Namespace: namespace, Name: "key"},
		}},
	}}
	must(admin.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{}))(t)
	eventually(t, func() string { return text(read()) })
	must(node.CoreV1().PersistentVolumes().Get(ctx, namespace, metav1.GetOptions{}))(t)
	if err := admin.CoreV1().PersistentVolumes().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestNodeWrites has a node do what a kubelet does, and more.
func TestNodeWrites(t *testing.T) {
	t.Parallel()
	namespace, ctx, admin := newNamespace(t), t.Context(), admin(t)
	name := "node-" + namespace
	node := asNode(t, name)
	nodes, pods := node.CoreV1().Nodes(), node.CoreV1().Pods(namespace)

	_, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "other-" + name}}, metav1.CreateOptions{})
	refused(t, "another node", err, `nodes "other-`+name+`" is forbidden: node "`+name+`" is not allowed to modify node "other-`+name+`"`)
	own := must(nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}}}, metav1.CreateOptions{}))(t)
	t.Cleanup(func() { _ = coreClient(t).CoreV1().Nodes().Delete(t.Context(), name, metav1.DeleteOptions{}) })
	must(nodes.Patch(ctx, name, types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}, "status"))(t)
	_, err = nodes.Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"taints":null}}`), metav1.PatchOptions{})
	refused(t, "taints", err, `nodes "`+name+`" is forbidden: node "`+name+`" is not allowed to modify taints`)
	_, err = nodes.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"labels":{"node-restriction.kubernetes.io/a":"b"}}}`), metav1.PatchOptions{})
	refused(t, "labels", err, `nodes "`+name+`" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/a`)

	leases := node.CoordinationV1().Leases("kube-node-lease")
	must(leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))(t)
	_, err = leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "other-" + name}}, metav1.CreateOptions{})
	refused(t, "another lease", err, `leases.coordination.k8s.io "other-`+name+`" is forbidden: can only access node lease with the same name as the requesting node`)
	if err := leases.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}

	mirror := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "mirror", Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "hash"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: name, UID: own.UID, Controller: new(true)}},
		},
		Spec: corev1.PodSpec{NodeName: name, Containers: []corev1.Container{{Name: "a", Image: "a"}}},
	}
	must(pods.Create(ctx, mirror, metav1.CreateOptions{}))(t)
	eventually(t, func() string { // the default account is made by a controller
		_, err := admin.CoreV1().Pods(namespace).Create(ctx, podOn(name, "web"), metav1.CreateOptions{})
		return text(err)
	})
	web := must(admin.CoreV1().Pods(namespace).Get(ctx, "web", metav1.GetOptions{}))(t)
	must(admin.CoreV1().Pods(namespace).Create(ctx, podOn("other-"+name, "far"), metav1.CreateOptions{}))(t)
	_, err = pods.Create(ctx, podOn(name, "own"), metav1.CreateOptions{})
	refused(t, "a pod", err, `pods "own" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "`+name+`" can only create mirror pods`)
	must(pods.Patch(ctx, "web", types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}, "status"))(t)
	_, err = pods.Patch(ctx, "far", types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}, "status")
	refused(t, "status of another", err, `pods "far" is forbidden: node "`+name+`" can only update pod status for pods with spec.nodeName set to itself`)

	tokenFor := func(pod string, uid types.UID) error {
		_, err := node.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "default", &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod, UID: uid},
		}}, metav1.CreateOptions{})
		return err
	}
	eventually(t, func() string { return text(tokenFor("web", web.UID)) })
	refused(t, "a token of a pod that was", tokenFor("web", "old"), `serviceaccounts "default" is forbidden: the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated`)
	refused(t, "a token of no pod", tokenFor("gone", "x"), `pods "gone" not found`)

	evict := func(pod string) error {
		return pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod}, DeleteOptions: new(now())})
	}
	refused(t, "evict another's", evict("far"), `pods "far" is forbidden: node `+name+` can only evict pods with spec.nodeName set to itself`)
	refused(t, "evict", evict("web"), "")
	refused(t, "delete another's", pods.Delete(ctx, "far", now()), `pods "far" is forbidden: node "`+name+`" can only delete pods with spec.nodeName set to itself`)
	refused(t, "delete", pods.Delete(ctx, "mirror", now()), "")
}

// TestNodeSettings has a server without the plugin, one without pods, and one whose
// modes leave nodes out.
func TestNodeSettings(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, tc := range map[string]struct {
		flag string
		// create is another node, read a secret.
		create, read string
	}{
		"no plugin": {"--disable-admission-plugins=NodeRestriction", "", unrelated("n1", "default", "s")},
		"no pods":   {"--api-groups=minimal", "the server could not find the requested resource", unrelated("n1", "default", "s")},
		"roles alone": {
			"--authorization-mode=RBAC", `nodes is forbidden: User "system:node:n1" cannot create resource "nodes" in API group "" at the cluster scope`,
			`secrets "s" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "default"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := impersonate(t, stoatest.Start(t, stoatest.WithFlags(tc.flag)), "system:node:n1", "system:nodes")
			_, err := node.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}}, metav1.CreateOptions{})
			refused(t, "create a node", err, tc.create)
			_, err = node.CoreV1().Secrets("default").Get(ctx, "s", metav1.GetOptions{})
			if refused(t, "read a secret", err, tc.read); !apierrors.IsForbidden(err) {
				t.Errorf("%v, want Forbidden", err)
			}
		})
	}
}
