// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregatorclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/stoa-project/stoa/stoatest"
)

// content are objects of some kinds, as a user may have them in a namespace.
var content = map[string]string{
	"/api/v1/namespaces/NS/configmaps":                            `{"metadata":{"name":"a"}}`,
	"/api/v1/namespaces/NS/secrets":                               `{"metadata":{"name":"a"}}`,
	"/api/v1/namespaces/NS/services":                              `{"metadata":{"name":"a"},"spec":{"ports":[{"port":80}]}}`,
	"/api/v1/namespaces/NS/pods":                                  `{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
	"/api/v1/namespaces/NS/replicationcontrollers":                `{"metadata":{"name":"a"},"spec":{"selector":{"a":"b"},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`,
	"/apis/batch/v1/namespaces/NS/jobs":                           `{"metadata":{"name":"a"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}`,
	"/apis/apps/v1/namespaces/NS/deployments":                     `{"metadata":{"name":"a"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`,
	"/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles":      `{"metadata":{"name":"a"}}`,
	"/apis/coordination.k8s.io/v1/namespaces/NS/leases":           `{"metadata":{"name":"a"}}`,
	"/apis/events.k8s.io/v1/namespaces/NS/events":                 `{"metadata":{"name":"a"},"eventTime":"2026-01-01T00:00:00.000000Z","action":"a","reason":"r","type":"Normal","reportingController":"e.example.com/c","reportingInstance":"i","regarding":{"namespace":"NS"}}`,
	"/apis/networking.k8s.io/v1/namespaces/NS/networkpolicies":    `{"metadata":{"name":"a"},"spec":{"podSelector":{}}}`,
	"/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers": `{"metadata":{"name":"a"},"spec":{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"a"}}}`,
}

// fill makes a namespace with an object of each kind of the content.
func fill(t *testing.T, config *rest.Config, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := kubernetes.NewForConfigOrDie(config).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for path, object := range content {
		path, object = strings.ReplaceAll(path, "NS", name), strings.ReplaceAll(object, "NS", name)
		if made := do(t, request{method: "POST", path: path, body: []byte(object), config: config}); made.code != 201 {
			t.Fatalf("create at %s: %d %s", path, made.code, made.body)
		}
	}
}

// stored are the keys in etcd of the objects in a namespace.
func stored(t *testing.T, server *stoatest.Server, namespace string) []string {
	t.Helper()
	all, err := server.Etcd().Get(t.Context(), "/registry/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, kv := range all.Kvs {
		if strings.Contains(string(kv.Key), "/"+namespace+"/") {
			out = append(out, string(kv.Key))
		}
	}
	return out
}

// wantGone waits until a namespace and all that is in it are gone.
func wantGone(t *testing.T, server *stoatest.Server, name string) {
	t.Helper()
	namespaces := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Namespaces()
	eventually(t, func() string {
		found, err := namespaces.Get(t.Context(), name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return ""
		case err != nil:
			return err.Error()
		}
		return name + " is still there: " + conditions(found)
	})
	if left := stored(t, server, name); len(left) > 0 {
		t.Errorf("left in the namespace: %q", left)
	}
}

// conditions are those of a namespace, one in a line.
func conditions(namespace *corev1.Namespace) string {
	var out strings.Builder
	for _, c := range namespace.Status.Conditions {
		out.WriteString(string(c.Type) + "=" + string(c.Status) + " " + c.Reason + ": " + c.Message + "\n")
	}
	return out.String()
}

// wantConditions waits for the conditions of a namespace.
func wantConditions(t *testing.T, server *stoatest.Server, name, want string) {
	t.Helper()
	namespaces := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Namespaces()
	eventually(t, func() string {
		found, err := namespaces.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		return cmp.Diff(strings.TrimLeft(want, "\n"), conditions(found))
	})
}

// TestNamespaceDeletion deletes two namespaces at once. One has an object that waits
// for its finalizer, which keeps nothing else.
func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	client := kubernetes.NewForConfigOrDie(server.Config()).CoreV1()
	resource := defineOn(t, server, unique(t)+".example.com", widgets)
	for _, name := range []string{"free", "held"} {
		fill(t, server.Config(), name)
		widget := custom(resource, "Widget", "a", map[string]any{"color": "red"})
		if name == "held" {
			widget.SetFinalizers([]string{"example.com/hold"})
		}
		if _, err := dynamic.NewForConfigOrDie(server.Config()).Resource(resource).Namespace(name).Create(t.Context(), widget, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, policy := range map[string]metav1.DeletionPropagation{"free": metav1.DeletePropagationForeground, "held": metav1.DeletePropagationBackground} {
		if err := client.Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			t.Fatal(err)
		}
	}
	wantGone(t, server, "free")
	wantConditions(t, server, "held", `
NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered
NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed
NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization
NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: widgets.`+resource.Group+` has 1 resource instances
NamespaceFinalizersRemaining=True SomeFinalizerRemain: Some finalizers are remaining: example.com/hold in 1 resource instances
`)
	if left := stored(t, server, "held"); len(left) != 1 {
		t.Errorf("left beside the one that is held: %q", left)
	}
	_, err := client.ConfigMaps("held").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
	if want := `configmaps "late" is forbidden: unable to create new content in namespace held because it is being terminated`; text(err) != want {
		t.Errorf("error of create: %v, want %s", err, want)
	}
	_, err = dynamic.NewForConfigOrDie(server.Config()).Resource(resource).Namespace("held").
		Patch(t.Context(), "a", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantGone(t, server, "held")
}

// TestNamespaceDeletionPodsFirst keeps all else as long as pods are there.
func TestNamespaceDeletionPodsFirst(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	client := kubernetes.NewForConfigOrDie(server.Config()).CoreV1()
	fill(t, server.Config(), "pods")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"example.com/a", "example.com/b"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	if _, err := client.Pods("pods").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Namespaces().Delete(t.Context(), "pods", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantConditions(t, server, "pods", `
NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered: All resources successfully discovered
NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed
NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization
NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances
NamespaceFinalizersRemaining=True SomeFinalizerRemain: Some finalizers are remaining: example.com/a in 1 resource instances, example.com/b in 1 resource instances
`)
	if _, err := client.ConfigMaps("pods").Get(t.Context(), "a", metav1.GetOptions{}); err != nil {
		t.Errorf("a ConfigMap did not wait for the pod: %v", err)
	}
	if _, err := client.Pods("pods").Patch(t.Context(), "held", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	wantGone(t, server, "pods")
}

// TestNamespaceDeletionServerDown deletes all but what a server has that is down, and
// goes on when that is no longer wanted.
func TestNamespaceDeletionServerDown(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	services := aggregatorclient.NewForConfigOrDie(server.Config()).ApiregistrationV1().APIServices()
	down := &apiregistration.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: "v1.down.example.com"},
		Spec: apiregistration.APIServiceSpec{
			Group: "down.example.com", Version: "v1", GroupPriorityMinimum: 100, VersionPriority: 1, InsecureSkipTLSVerify: true,
			Service: &apiregistration.ServiceReference{Namespace: "default", Name: "none"},
		},
	}
	if _, err := services.Create(t.Context(), down, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		known := do(t, request{path: "/apis", config: server.Config(), header: map[string]string{"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}})
		if !strings.Contains(string(known.body), "down.example.com") {
			return "the group is not discovered"
		}
		return ""
	})
	fill(t, server.Config(), "stuck")
	if err := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Namespaces().Delete(t.Context(), "stuck", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantConditions(t, server, "stuck", `
NamespaceDeletionDiscoveryFailure=True DiscoveryFailed: Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: down.example.com/v1: stale GroupVersion discovery: down.example.com/v1
NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions: All legacy kube types successfully parsed
NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization
NamespaceContentRemaining=False ContentRemoved: All content successfully removed
NamespaceFinalizersRemaining=False ContentRemoved: All content successfully removed
`)
	if left := stored(t, server, "stuck"); len(left) > 0 {
		t.Errorf("left in the namespace: %q", left)
	}
	if err := services.Delete(t.Context(), down.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantGone(t, server, "stuck")
}

// TestNamespaceDeletionOff leaves a namespace as it is without the controller, and
// deletes it when the controller is there.
func TestNamespaceDeletionOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--controllers=*,-namespace-controller"))
	fill(t, server.Config(), "kept")
	namespaces := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Namespaces()
	if err := namespaces.Delete(t.Context(), "kept", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	// Nobody has touched it until it stopped, whatever was going on.
	server = stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--controllers=-namespace-controller"))
	found, err := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{})
	if err != nil || found.Status.Phase != corev1.NamespaceTerminating || len(found.Status.Conditions) > 0 {
		t.Errorf("phase %s, conditions %s, %v", found.Status.Phase, conditions(found), err)
	}
	if left := len(stored(t, server, "kept")); left < len(content) {
		t.Errorf("%d objects are left of at least %d", left, len(content))
	}
	server.Stop()
	wantGone(t, stoatest.Start(t, stoatest.WithDataDir(dir)), "kept")
}
