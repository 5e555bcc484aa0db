// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	imagepolicyv1alpha1 "k8s.io/api/imagepolicy/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// reviewImages refuses images whose name is bad.
func reviewImages(w http.ResponseWriter, r *http.Request) {
	var review imagepolicyv1alpha1.ImageReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Status.Allowed = true
	for _, container := range review.Spec.Containers {
		if container.Image == "bad" {
			review.Status = imagepolicyv1alpha1.ImageReviewStatus{Reason: "bad is bad"}
		}
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"status": review.Status}); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// writeFile writes a file of a test, and returns its path.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// admissionConfig writes the configuration of plugins, each in one of the ways in which
// it can be given.
func admissionConfig(t *testing.T) string {
	t.Helper()
	images := httptest.NewTLSServer(http.HandlerFunc(reviewImages))
	t.Cleanup(images.Close)
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "images.kubeconfig")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: images.Certificate().Raw})
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"c": {Server: images.URL, CertificateAuthorityData: ca}},
		Contexts: map[string]*clientcmdapi.Context{"c": {Cluster: "c"}}, CurrentContext: "c",
	}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "selectors.yaml", "podNodeSelectorPluginConfig:\n  clusterDefaultNodeSelector: pool=usual\n")
	writeFile(t, dir, "images.yaml", "imagePolicy:\n  kubeConfigFile: "+kubeconfig+"\n")
	return writeFile(t, dir, "admission.yaml", `
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodNodeSelector
  path: selectors.yaml
- name: ImagePolicyWebhook
  path: images.yaml
- name: PodTolerationRestriction
  configuration:
    apiVersion: podtolerationrestriction.admission.k8s.io/v1alpha1
    kind: Configuration
    default: [{key: pool, operator: Exists}]
- name: EventRateLimit
  configuration:
    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
    kind: Configuration
    limits: [{type: Namespace, qps: 1, burst: 1}]
- name: NamespaceLifecycle
  path: missing.yaml
  configuration: {}
- name: AlwaysDeny
  path: missing.yaml
`)
}

// TestConfiguredPlugins sees plugins that are off unless asked for do what they do with a
// configuration, and not do it on the shared server.
func TestConfiguredPlugins(t *testing.T) {
	t.Parallel()
	configured := stoatest.Start(t, stoatest.WithFlags("--admission-control-config-file="+admissionConfig(t),
		"--enable-admission-plugins=PodNodeSelector,ImagePolicyWebhook,PodTolerationRestriction,EventRateLimit,DenyEscalatingExec",
		"--disable-admission-plugins=PodTopologyLabels,NamespaceCreator"))
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	pod := func(change func(*corev1.PodSpec)) *corev1.Pod {
		out := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
		change(&out.Spec)
		return out
	}
	for _, tc := range []struct {
		plugin string
		// do says what came of a request to a server.
		do      func(t *testing.T, client kubernetes.Interface, server *stoatest.Server, namespace string) string
		on, off string
	}{
		{"PodNodeSelector", func(t *testing.T, client kubernetes.Interface, _ *stoatest.Server, namespace string) string {
			made, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod(func(*corev1.PodSpec) {}), dry)
			if err != nil {
				return err.Error()
			}
			return made.Spec.NodeSelector["pool"]
		}, "usual", ""},
		{"PodTolerationRestriction", func(t *testing.T, client kubernetes.Interface, _ *stoatest.Server, namespace string) string {
			made, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod(func(*corev1.PodSpec) {}), dry)
			if err != nil {
				return err.Error()
			}
			for _, toleration := range made.Spec.Tolerations {
				if toleration.Key == "pool" {
					return string(toleration.Operator)
				}
			}
			return ""
		}, "Exists", ""},
		{"ImagePolicyWebhook", func(t *testing.T, client kubernetes.Interface, _ *stoatest.Server, namespace string) string {
			_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod(func(s *corev1.PodSpec) { s.Containers[0].Image = "bad" }), dry)
			return refusal(err)
		}, "image policy webhook backend denied one or more images: bad is bad", "done"},
		{"EventRateLimit", func(t *testing.T, client kubernetes.Interface, _ *stoatest.Server, namespace string) string {
			for range 20 { // the first one may come when the last is long ago
				_, err := client.CoreV1().Events(namespace).Create(t.Context(), &corev1.Event{
					ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}, InvolvedObject: corev1.ObjectReference{Namespace: namespace},
				}, metav1.CreateOptions{})
				if apierrors.IsTooManyRequests(err) {
					return strings.ReplaceAll(err.Error(), namespace, "NS")
				}
				if err != nil {
					t.Error(err)
				}
			}
			return ""
		}, "Too many requests: limit reached on type Namespace for key NS", ""},
		{"DenyEscalatingExec", func(t *testing.T, client kubernetes.Interface, server *stoatest.Server, namespace string) string {
			_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod(func(s *corev1.PodSpec) { s.HostPID = true }), metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				t.Error(err)
			}
			got := do(t, request{method: "POST", path: "/api/v1/namespaces/" + namespace + "/pods/x/exec?command=ls&stdout=true", config: server.Config()})
			return got.status(t).Message
		}, `pods "x" is forbidden: cannot exec into or attach to a container using host pid`, "pod x does not have a host assigned"},
		{"PodTopologyLabels", func(t *testing.T, client kubernetes.Interface, _ *stoatest.Server, namespace string) string {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"topology.kubernetes.io/zone": "z"}}}
			if _, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
				return err.Error()
			}
			bound := pod(func(*corev1.PodSpec) {})
			bound.Name, bound.Labels = "bound", map[string]string{"topology.kubernetes.io/zone": "mine"}
			if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), bound, metav1.CreateOptions{}); err != nil {
				return err.Error()
			}
			err := client.CoreV1().Pods(namespace).Bind(t.Context(), &corev1.Binding{
				ObjectMeta: metav1.ObjectMeta{Name: bound.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: namespace},
			}, metav1.CreateOptions{})
			if err != nil {
				return err.Error()
			}
			bound, err = client.CoreV1().Pods(namespace).Get(t.Context(), bound.Name, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			return bound.Labels["topology.kubernetes.io/zone"]
		}, "mine", "z"}, // off where the others are on
		{"NamespaceCreator", func(t *testing.T, _ kubernetes.Interface, server *stoatest.Server, namespace string) string {
			return creatorOf(t, server, namespace)
		}, "nobody", "stoa-admin"},
	} {
		t.Run(tc.plugin, func(t *testing.T) {
			t.Parallel()
			for server, want := range map[*stoatest.Server]string{configured: tc.on, api: tc.off} {
				client, name := clientFor(t, server.Config()), unique(t)
				if _, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				if got := tc.do(t, client, server, name); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// TestBadAdmissionConfig has mistakes in the configuration of plugins, which the error of
// a start names with flag and file.
func TestBadAdmissionConfig(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"
	for name, tc := range map[string]struct{ plugin, config, want string }{
		"no file": {"PodNodeSelector", head + "- {name: PodNodeSelector, path: missing.yaml}", "--admission-control-config-file=FILE: configuration of PodNodeSelector: open DIR/missing.yaml: no such file or directory"},
		"a field": {"EventRateLimit", head + "- {name: EventRateLimit, configuration: {apiVersion: eventratelimit.admission.k8s.io/v1alpha1, kind: Configuration, limits: [{type: User, qps: 1}]}}",
			`admission, with --admission-control-config-file=FILE: couldn't init admission plugin "EventRateLimit": limits[0].burst: Invalid value: 0: must be positive`},
		"the old form": {"PodNodeSelector", "podNodeSelectorPluginConfig: {team: 'a in (b)'}",
			`admission, with --admission-control-config-file=FILE: couldn't init admission plugin "PodNodeSelector": configuration: podNodeSelectorPluginConfig.team: invalid selector: [a in (b)]`},
		"no kind": {"PodTolerationRestriction", head + "- {name: PodTolerationRestriction, configuration: {default: []}}",
			`admission, with --admission-control-config-file=FILE: couldn't init admission plugin "PodTolerationRestriction": configuration: apiVersion must be "podtolerationrestriction.admission.k8s.io/v1alpha1" and kind "Configuration", not "" and ""`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := writeFile(t, dir, "admission.yaml", tc.config)
			o := server.NewOptions()
			o.DataDir, o.Etcd.UnsafeNoFsync = filepath.Join(dir, "data"), true
			o.Serving.BindAddress, o.Serving.BindPort = net.IPv4(127, 0, 0, 1), 0
			if err := o.Flags().Parse([]string{"--enable-admission-plugins=" + tc.plugin, "--admission-control-config-file=" + file}); err != nil {
				t.Fatal(err)
			}
			completed, err := o.Complete(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = server.New(t.Context(), completed)
			if want := strings.NewReplacer("FILE", file, "DIR", dir).Replace(tc.want); !strings.HasSuffix(text(err), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}
