// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	aggregatorclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/install"
	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

// TestAggregatedOutage stops the cluster. Who could read before goes on reading, also
// by a token, until the time of grace is over; nobody else does, and nobody writes.
// The server lives on, and says what it misses.
func TestAggregatedOutage(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir, port := filepath.Join(t.TempDir(), "behind"), freePort(t)
	o := h.options(t, port)
	h.install(t, o)
	h.grant(t, "writer", "*")
	h.grant(t, "system:serviceaccount:default:default", "get")
	behind := startBehind(t, dir, port, h.kubeconfig(t), stoatest.WithFlags("--host-grace-period=1h"))
	config := directly(t, behind, dir, h.as(t, "writer"))
	writer := versioned.NewForConfigOrDie(config).TenancyV1().Tenants()
	eventually(t, func() string {
		_, err := writer.Create(t.Context(), tenant("one"), metav1.CreateOptions{})
		return text(err)
	})
	account, nobody := rest.AnonymousClientConfig(config), directly(t, behind, dir, h.as(t, "nobody"))
	account.BearerToken = h.token(t)
	before := map[string]*rest.Config{"a certificate": config, "a token": account}
	for name, config := range before {
		if _, err := versioned.NewForConfigOrDie(config).TenancyV1().Tenants().Get(t.Context(), "one", metav1.GetOptions{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	w, err := writer.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()

	h.Stop()
	eventually(t, func() string { // until answers from before are no answers any more
		_, err := versioned.NewForConfigOrDie(nobody).TenancyV1().Tenants().Get(t.Context(), "one", metav1.GetOptions{})
		if !apierrors.IsInternalError(err) {
			return "nobody is told " + text(err)
		}
		return ""
	})
	for range 3 {
		for name, config := range before {
			if _, err := versioned.NewForConfigOrDie(config).TenancyV1().Tenants().Get(t.Context(), "one", metav1.GetOptions{}); err != nil {
				t.Errorf("%s, while the cluster is away: %v", name, err)
			}
		}
	}
	eventually(t, func() string {
		if _, err := writer.Create(t.Context(), tenant("two"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); !apierrors.IsInternalError(err) {
			return "a write while the cluster is away: " + text(err)
		}
		return ""
	})
	if got := do(t, request{path: "/livez?verbose", config: rest.AnonymousClientConfig(config)}); got.code != 200 {
		t.Errorf("/livez: %d %s", got.code, got.body)
	}
	if got := do(t, request{path: "/readyz?verbose", config: rest.AnonymousClientConfig(config)}); got.code != 500 || !bytes.Contains(got.body, []byte("[-]host failed")) {
		t.Errorf("/readyz: %d %s", got.code, got.body)
	}
	select {
	case event := <-w.ResultChan():
		if event.Type != "ADDED" {
			t.Errorf("the watch got %v", event)
		}
	default:
		t.Error("the watch has lost its first event")
	}

	h.start(t)
	eventually(t, func() string {
		_, err := writer.Create(t.Context(), tenant("two"), metav1.CreateOptions{})
		return text(err)
	})
	eventually(t, func() string {
		if got := do(t, request{path: "/readyz?verbose", config: rest.AnonymousClientConfig(config)}); got.code != 200 {
			return string(got.body)
		}
		return ""
	})
}

// TestAggregatedGrace ends the time of grace.
func TestAggregatedGrace(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir, port := filepath.Join(t.TempDir(), "behind"), freePort(t)
	h.grant(t, "reader", "get")
	behind := startBehind(t, dir, port, h.Kubeconfig(), stoatest.WithFlags("--host-grace-period=1ms"))
	reader := versioned.NewForConfigOrDie(directly(t, behind, dir, h.as(t, "reader"))).TenancyV1().Tenants()
	eventually(t, func() string {
		if _, err := reader.Get(t.Context(), "one", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return text(err)
		}
		return ""
	})
	h.Stop()
	eventually(t, func() string { // an answer is good for ten seconds anyway
		if _, err := reader.Get(t.Context(), "one", metav1.GetOptions{}); !apierrors.IsInternalError(err) {
			return "a read is answered " + text(err)
		}
		return ""
	})
}

// token is one of the service account default in the namespace default.
func (h *hostCluster) token(t *testing.T) string {
	t.Helper()
	var token string
	eventually(t, func() string {
		request, err := kubernetes.NewForConfigOrDie(h.Config()).CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err == nil {
			token = request.Status.Token
		}
		return text(err)
	})
	return token
}

// TestAggregatedRotation has authorities that live for seconds, in a secret that two
// servers share: requests through the cluster never fail while authorities follow one
// another.
func TestAggregatedRotation(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	ports := []string{freePort(t), freePort(t)}
	o := h.options(t, ports[0])
	o.ExternalName = ""
	h.install(t, o) // with the secret, and pods that nobody runs
	o = h.options(t, ports[0])
	client := kubernetes.NewForConfigOrDie(h.Config())
	if err := client.CoreV1().Services(o.Namespace).Delete(t.Context(), install.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	h.install(t, o)
	kubeconfig, servers := h.Kubeconfig(), []*stoatest.Server{}
	for _, port := range ports {
		servers = append(servers, startBehind(t, filepath.Join(t.TempDir(), "behind"), port, kubeconfig,
			stoatest.WithFlags("--aggregated-ca-secret=stoa-system/stoa-ca"), stoatest.WithOptions(func(o *server.Options) {
				o.Host.Lifetimes = pki.Lifetimes{Authority: 30 * time.Second, Leaf: 15 * time.Second, Overlap: 5 * time.Second}
				o.Host.Interval = 500 * time.Millisecond
			})))
	}
	h.wait(t, o)
	h.follow(t, servers...)
	secret, err := client.CoreV1().Secrets(o.Namespace).Get(t.Context(), install.SecretName, metav1.GetOptions{})
	if err != nil || len(secret.Data["ca.key"]) == 0 {
		t.Errorf("the secret has no key: %v", err)
	}
}

// follow sends requests to servers, through the host and on new connections, until three
// authorities have signed, of which the host has known two at once.
func (h *hostCluster) follow(t *testing.T, servers ...*stoatest.Server) {
	t.Helper()
	tenants := versioned.NewForConfigOrDie(h.Config()).TenancyV1().Tenants()
	eventually(t, func() string {
		_, err := tenants.List(t.Context(), metav1.ListOptions{})
		return text(err)
	})
	seen, both := map[string]bool{}, false
	for len(seen) < 3 || !both {
		if _, err := tenants.List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatalf("after %d authorities: %v", len(seen), err)
		}
		registered, err := aggregatorclient.NewForConfigOrDie(h.Config()).ApiregistrationV1().APIServices().Get(t.Context(), "v1.tenancy.stoa.dev", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		authorities, err := cert.ParseCertsPEM(registered.Spec.CABundle)
		if err != nil {
			t.Fatal(err)
		}
		both = both || len(authorities) > 1
		for _, s := range servers { // each request has a connection of its own
			config := &rest.Config{Host: s.URL(), TLSClientConfig: rest.TLSClientConfig{ServerName: "stoa.stoa-system.svc", CAData: registered.Spec.CABundle}}
			issuer, err := issuerOf(t.Context(), config)
			if err != nil {
				t.Fatalf("after %d authorities, a server is not trusted: %v", len(seen), err)
			}
			seen[issuer] = true
		}
	}
}

// TestAggregatedFolderRotation is the same with authorities in the server's own folder.
func TestAggregatedFolderRotation(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir, port := filepath.Join(t.TempDir(), "behind"), freePort(t)
	o := h.options(t, port)
	h.install(t, o)
	behind := startBehind(t, dir, port, h.kubeconfig(t), stoatest.WithOptions(func(o *server.Options) {
		o.Host.Lifetimes = pki.Lifetimes{Authority: 30 * time.Second, Leaf: 15 * time.Second, Overlap: 5 * time.Second}
		o.Host.Interval = 500 * time.Millisecond
	}))
	h.wait(t, o)
	h.follow(t, behind)
	if kept, err := (pki.Store{Dir: filepath.Join(dir, "pki")}).ReadAuthorities("aggregated-ca"); err != nil || len(kept) == 0 {
		t.Errorf("the folder has %d authorities, %v", len(kept), err)
	}
}

// TestAggregatedNamespaces has the cluster's namespaces hold for the server's objects.
func TestAggregatedNamespaces(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	port := freePort(t)
	o := h.options(t, port)
	h.install(t, o)
	startBehind(t, filepath.Join(t.TempDir(), "behind"), port, h.kubeconfig(t))
	h.wait(t, o)
	grant := []byte(`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Grant","metadata":{"name":"one"},"spec":{"subject":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"jane"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"duration":"1h","reason":"a test"}}`)
	create := func(namespace string) answer {
		return do(t, request{method: "POST", path: "/apis/tenancy.stoa.dev/v1/namespaces/" + namespace + "/grants", body: grant, config: h.Config()})
	}
	eventually(t, func() string {
		if got := create("missing"); got.code != 404 || got.status(t).Message != `namespaces "missing" not found` {
			return string(got.body)
		}
		return ""
	})
	client := kubernetes.NewForConfigOrDie(h.Config()).CoreV1().Namespaces()
	if _, err := client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "blue"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := create("blue"); got.code != 201 {
		t.Errorf("create: %d %s", got.code, got.body)
	}
	if err := client.Delete(t.Context(), "blue", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// The cluster empties the namespace of what the server has.
	wantGone(t, h.Server, "blue")
	if got := do(t, request{path: "/apis/tenancy.stoa.dev/v1/grants", config: h.Config()}); got.code != 200 || bytes.Contains(got.body, []byte(`"one"`)) {
		t.Errorf("grants: %d %s", got.code, got.body)
	}
}

// TestDoctor breaks one thing after the other, and is told which.
func TestDoctor(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir, port := filepath.Join(t.TempDir(), "behind"), freePort(t)
	o := h.options(t, port)
	diagnosis := func() string {
		cluster, _ := h.cluster(t)
		fresh := install.NewOptions()
		fresh.APIServices = o.APIServices
		for _, finding := range cluster.Examine(t.Context(), fresh) {
			if !finding.OK {
				return finding.Check + ": " + finding.Text + ": " + finding.Do
			}
		}
		return "well"
	}
	want := func(what ...string) {
		t.Helper()
		eventually(t, func() string {
			got := diagnosis()
			for _, part := range what {
				if !strings.Contains(got, part) {
					return got + " lacks " + part
				}
			}
			return ""
		})
	}
	want("objects: missing: Namespace stoa-system, ", "run stoa install again")
	h.install(t, o)
	want("server: not reachable from here", "connection refused", "start the server")
	behind := startBehind(t, dir, port, h.kubeconfig(t))
	h.wait(t, o)
	want("well")

	rbac := kubernetes.NewForConfigOrDie(h.Config()).RbacV1()
	role, err := rbac.ClusterRoles().Get(t.Context(), "stoa:aggregated", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range role.Rules {
		if role.Rules[i].Resources[0] == "namespaces" {
			role.Rules[i].Verbs = []string{"get", "create", "update", "patch", "delete"}
		}
	}
	if _, err := rbac.ClusterRoles().Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	want("rights: stoa-aggregated may not: list namespaces, watch namespaces: run stoa install again")
	eventually(t, func() string {
		if got := do(t, request{path: "/readyz?verbose", config: rest.AnonymousClientConfig(directly(t, behind, dir, h.Config()))}); !bytes.Contains(got.body, []byte("[-]host-namespaces failed")) {
			return string(got.body)
		}
		return ""
	})
	h.install(t, o)
	want("well")
	if err := kubernetes.NewForConfigOrDie(h.Config()).CoreV1().Services(o.Namespace).Delete(t.Context(), install.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	want("objects: missing: Service stoa-system/stoa", "run stoa install again")
	h.install(t, o)
	want("well")
	ignore := []byte(`{"webhooks":[{"name":"placement.tenancy.stoa.dev","failurePolicy":"Ignore"}]}`)
	must(kubernetes.NewForConfigOrDie(h.Config()).AdmissionregistrationV1().MutatingWebhookConfigurations().Patch(
		t.Context(), "stoa-tenants", types.StrategicMergePatchType, ignore, metav1.PatchOptions{}))(t)
	want("webhooks: webhook placement.tenancy.stoa.dev has the failure policy Ignore, and does not hold while the server is down: run stoa install again")
	h.install(t, o)
	want("well")
	behind.Stop()
	want("server: not reachable from here")
}

// TestInstallPods installs pods in a cluster that runs none: what waits and the doctor
// say so, and the server has the rights that it needs. Nothing is left in the end.
func TestInstallPods(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	before := h.everything(t)
	o := h.options(t, "6443")
	o.ExternalName, o.User = "", ""
	// Without a volume, whose protection nothing here ends.
	o.EtcdServers, o.Replicas = []string{"https://etcd.example.com:2379"}, 2
	h.install(t, o)
	cluster, _ := h.cluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	want := "the cluster does not send requests to the server\n" +
		"  APIService v1.tenancy.stoa.dev: the server has not said yet who signs its certificate\n" +
		"  APIService v1alpha1.tenancy.stoa.dev: the server has not said yet who signs its certificate\n" +
		"  there are no pods: see the events of deployment stoa-system/stoa\n" +
		"  stoa doctor says what to do"
	if err := cluster.Wait(ctx, o); text(err) != want {
		t.Errorf("wait: %v", err)
	}
	fresh := install.NewOptions()
	fresh.APIServices = o.APIServices
	found := map[string]string{}
	for _, finding := range cluster.Examine(t.Context(), fresh) {
		found[finding.Check] = finding.Text
		if want := slices.Contains([]string{"host", "objects", "rights", "front proxy"}, finding.Check); finding.OK != want {
			t.Errorf("%+v", finding)
		}
	}
	if want := "system:serviceaccount:stoa-system:stoa may do what it must"; found["rights"] != want {
		t.Errorf("rights: %s", found["rights"])
	}
	if want := "none is ready: there are no pods: see the events of deployment stoa-system/stoa"; found["endpoints"] != want {
		t.Errorf("endpoints: %s", found["endpoints"])
	}
	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cluster.Delete(ctx, fresh); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		return strings.Join(slices.DeleteFunc(h.everything(t), func(key string) bool { return slices.Contains(before, key) }), ", ")
	})
}

// TestAggregatedExpiredProxy has a cluster whose proxy shows a certificate that has
// expired: the server believes nothing that it says, and the doctor says which file it is.
func TestAggregatedExpiredProxy(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	h := newHost(t, expiredProxy(t, files)...)
	port := freePort(t)
	o := h.options(t, port)
	h.install(t, o)
	startBehind(t, filepath.Join(t.TempDir(), "behind"), port, h.kubeconfig(t))
	cluster, _ := h.cluster(t)
	eventually(t, func() string {
		last := ""
		for _, finding := range cluster.Examine(t.Context(), o) {
			if finding.Check == "front proxy" && strings.Contains(finding.Text, ": 401") && strings.Contains(finding.Do, "renew the certificate in --proxy-client-cert-file") {
				return ""
			}
			last += finding.Check + ": " + finding.Text + "\n"
		}
		return last
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := cluster.Wait(ctx, o); err == nil || !strings.Contains(err.Error(), "APIService v1.tenancy.stoa.dev") {
		t.Errorf("wait: %v", err)
	}
}

// expiredProxy makes an authority and what it signed long ago, and returns flags for that.
func expiredProxy(t *testing.T, dir string) []string {
	t.Helper()
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxies"}, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "front-proxy-client"}, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	paths := map[string]string{}
	for name, template := range map[string]*x509.Certificate{"ca.crt": ca, "proxy.crt": leaf} {
		der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		content, err := cert.EncodeCertificates(parsed)
		if err != nil {
			t.Fatal(err)
		}
		paths[name] = filepath.Join(dir, name)
		if err := os.WriteFile(paths[name], content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	content, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	paths["proxy.key"] = filepath.Join(dir, "proxy.key")
	if err := os.WriteFile(paths["proxy.key"], content, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"--requestheader-client-ca-file=" + paths["ca.crt"], "--requestheader-allowed-names=front-proxy-client",
		"--proxy-client-cert-file=" + paths["proxy.crt"], "--proxy-client-key-file=" + paths["proxy.key"],
	}
}

// issuerOf is who signed what a server shows to a new connection.
func issuerOf(ctx context.Context, config *rest.Config) (string, error) {
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return "", err
	}
	at, err := url.Parse(config.Host)
	if err != nil {
		return "", err
	}
	connection, err := (&tls.Dialer{Config: tlsConfig}).DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0].Issuer.CommonName, nil
}
