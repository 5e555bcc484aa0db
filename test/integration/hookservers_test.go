// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

// listening starts a server of webhooks at an address, with a certificate for a host.
func listening(t *testing.T, ip, host string) (ca []byte, port int32) {
	t.Helper()
	issuer := authority(t)
	pair, err := issuer.EnsureServing(t.Context(), host, pki.Serving{Hosts: []string{host}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{judge: answers}
	h.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: h}, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	h.StartTLS()
	t.Cleanup(h.Close)
	return issuer.CertPEM(), int32(listener.Addr().(*net.TCPAddr).Port)
}

// TestWebhookService calls webhooks by their service. There is no network of a cluster
// here: the server goes to the endpoints itself, and to the name of a service outside.
func TestWebhookService(t *testing.T) {
	t.Parallel()
	namespace, client := newNamespace(t), coreClient(t)
	ip := address(t)
	if ip == "" {
		t.Skip("this machine has no address but its own")
	}
	ca, port := listening(t, ip, "inside."+namespace+".svc")
	outsideCA, outsidePort := listening(t, "127.0.0.1", "outside."+namespace+".svc")
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}}
	}
	ports := []corev1.ServicePort{{Name: "https", Port: 8443}}
	for _, service := range []*corev1.Service{
		{ObjectMeta: meta("inside"), Spec: corev1.ServiceSpec{Ports: ports}},
		{ObjectMeta: meta("empty"), Spec: corev1.ServiceSpec{Ports: ports}},
		{ObjectMeta: meta("outside"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}},
	} {
		if _, err := client.CoreV1().Services(namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: meta("inside"), AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{ip}}}, Ports: []discoveryv1.EndpointPort{{Name: new("https"), Port: &port}},
	}
	if _, err := client.DiscoveryV1().EndpointSlices(namespace).Create(t.Context(), slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const failed = `Internal error occurred: failed calling webhook "x.example.com": failed to call webhook: Post "https://SERVICE.svc:PORT/refuse?timeout=10s": `
	for name, tc := range map[string]struct {
		port int32
		ca   []byte
		want string
	}{
		"inside":  {8443, ca, `admission webhook "x.example.com" denied the request: not this one`},
		"outside": {outsidePort, outsideCA, `admission webhook "x.example.com" denied the request: not this one`},
		"empty":   {8443, ca, failed + `no endpoints available for service "empty"`},
		"none":    {443, ca, failed + `service "none" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := map[string]any{"caBundle": tc.ca, "service": map[string]any{"name": name, "namespace": namespace, "path": "/refuse", "port": tc.port}}
			register(t, api, validatingHooks, webhook(t, "x.example.com", namespace, at, `objectSelector: {matchLabels: {for: `+name+`}}`))
			made := newConfigMap(name, "1")
			made.Labels = map[string]string{"for": name}
			want := strings.NewReplacer("SERVICE", name+"."+namespace, "PORT", strconv.Itoa(int(tc.port))).Replace(tc.want)
			eventually(t, func() string { // services and endpoints are known a moment later
				if _, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), made, metav1.CreateOptions{}); text(err) != want {
					return fmt.Sprintf("got  %s\nwant %s", text(err), want)
				}
				return ""
			})
		})
	}
}

// TestWebhookOfEverything has a webhook that is away and wants to see everything: the
// server starts with it, knows its users, and lets the webhook be taken away again.
func TestWebhookOfEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	away := newHook(t, allow)
	away.Close()
	everything := "{namespaceSelector: {}, timeoutSeconds: 1, rules: [{apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], operations: ['*']}]}"
	const name = "all"
	for _, resource := range []schema.GroupVersionResource{validatingHooks, mutatingHooks} {
		enroll(t, server, resource, name, []map[string]any{webhook(t, "all.example.com", "", away.at("/"), everything)})
	}
	server.Stop()
	server = stoatest.Start(t, stoatest.WithDataDir(dir))
	client := clientFor(t, server.Config())
	refused := func() string {
		_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{})
		return text(err)
	}
	if got := refused(); !strings.Contains(got, `failed calling webhook "all.example.com"`) {
		t.Errorf("after a restart: %s", got)
	}
	if _, err := whoami(t.Context(), client); err != nil {
		t.Errorf("a review of oneself: %v", err)
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}}}
	if _, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{}); err != nil {
		t.Errorf("a review of rights: %v", err)
	}
	if err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, refused)
	// What the server does by itself goes on: a namespace and what is in it are deleted.
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doomed"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.CoreV1().Namespaces().Delete(t.Context(), "doomed", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantGone(t, server, "doomed")
}

// TestWebhookThatAsksBack has a webhook that writes to the server that waits for it.
func TestWebhookThatAsksBack(t *testing.T) {
	t.Parallel()
	client, namespace := coreClient(t), newNamespace(t)
	h := newHook(t, func(_ string, request *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse {
		_, err := client.CoreV1().Secrets(namespace).Create(context.WithoutCancel(t.Context()), newSecret("of-"+request.Name), metav1.CreateOptions{})
		if err == nil && request.Name == "outer" {
			_, err = client.CoreV1().ConfigMaps(namespace).Create(context.WithoutCancel(t.Context()), newConfigMap("inner", "1"), metav1.CreateOptions{})
		}
		if err != nil {
			return refuse(err.Error())
		}
		return admissionv1.AdmissionResponse{}
	})
	register(t, api, validatingHooks, webhook(t, "x.example.com", namespace, h.at("/"), ""))
	if _, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("outer", "1"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"of-outer", "of-inner"} {
		if _, err := client.CoreV1().Secrets(namespace).Get(t.Context(), name, metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// TestWebhookCredentials shows webhooks who calls, by their address.
func TestWebhookCredentials(t *testing.T) {
	t.Parallel()
	bearers, basics, strangers := newHook(t, allow), newHook(t, allow), newHook(t, allow)
	host := func(h *hook) string {
		address, err := url.Parse(h.URL)
		if err != nil {
			t.Fatal(err)
		}
		return address.Host
	}
	config := clientcmdapi.NewConfig()
	config.AuthInfos[host(bearers)] = &clientcmdapi.AuthInfo{Token: "of-the-server"}
	config.AuthInfos[host(basics)] = &clientcmdapi.AuthInfo{Username: "server", Password: "secret"}
	kubeconfig := filepath.Join(t.TempDir(), "webhooks.kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	file := secretFile(t, "admission.yaml", `
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: `+kubeconfig+`}
`)
	server := stoatest.Start(t, stoatest.WithFlags("--admission-control-config-file="+file))
	register(t, server, validatingHooks,
		webhook(t, "a.example.com", "default", bearers.at("/"), ""), webhook(t, "b.example.com", "default", basics.at("/"), ""), webhook(t, "c.example.com", "default", strangers.at("/"), ""))
	if _, err := clientFor(t, server.Config()).CoreV1().ConfigMaps("default").Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range []*hook{bearers, basics, strangers} {
		for _, r := range h.requests("a") {
			got = append(got, r.authorization)
		}
	}
	want := []string{"Bearer of-the-server", "Basic " + base64.StdEncoding.EncodeToString([]byte("server:secret")), ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
}
