// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"

	"github.com/stoa-project/stoa/controllers/certificates"
	"github.com/stoa-project/stoa/controllers/work"
	"github.com/stoa-project/stoa/stoatest"
)

// node asks for a certificate of a node.
func node(change func(*x509.CertificateRequest)) *x509.CertificateRequest {
	out := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:n", Organization: []string{"system:nodes"}}}
	if change != nil {
		change(out)
	}
	return out
}

// ask makes a request at the API, and approves it unless it is to be decided by others.
func ask(t *testing.T, client kubernetes.Interface, template *x509.CertificateRequest, spec certificatesv1.CertificateSigningRequestSpec) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	requests := client.CertificatesV1().CertificateSigningRequests()
	made, err := requests.Create(t.Context(), &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{GenerateName: "r-"}, Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}

func approve(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		request, err := client.CertificatesV1().CertificateSigningRequests().Get(ctx, name, metav1.GetOptions{})
		if err != nil || slices.ContainsFunc(request.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
			return c.Type == certificatesv1.CertificateApproved
		}) {
			return true, err
		}
		request.Status.Conditions = append(request.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test",
		})
		_, err = client.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, name, request, metav1.UpdateOptions{})
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// answer waits for a certificate, or for the message of a failure.
func answer(t *testing.T, client kubernetes.Interface, name string) (cert *x509.Certificate, failed string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		request, err := client.CertificatesV1().CertificateSigningRequests().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, c := range request.Status.Conditions {
			if c.Type == certificatesv1.CertificateFailed {
				failed = c.Reason + ": " + c.Message
				return true, nil
			}
		}
		block, _ := pem.Decode(request.Status.Certificate)
		if block == nil {
			return false, nil
		}
		cert, err = x509.ParseCertificate(block.Bytes)
		return true, err
	})
	if err != nil {
		t.Fatalf("request %s: %v", name, err)
	}
	return cert, failed
}

// Each signer signs what it may, and says what is wrong with the rest.
func TestSigning(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	config := stoatest.Start(t).Config()
	client := kubernetes.NewForConfigOrDie(config)
	const user, kubelet, serving = "kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet",
		"kubernetes.io/kubelet-serving"
	type usages = []certificatesv1.KeyUsage
	clientAuth, serverAuth := usages{"digital signature", "client auth"}, usages{"server auth", "digital signature"}
	jim := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jim", Organization: []string{"dev"}}}
	host := func(r *x509.CertificateRequest) { r.DNSNames = []string{"n.example.com"} }
	for name, tc := range map[string]struct {
		request *x509.CertificateRequest
		signer  string
		usages  usages
		failed  string
	}{
		"a user":                   {request: jim, signer: user, usages: clientAuth},
		"a user with encipherment": {request: jim, signer: user, usages: usages{"key encipherment", "client auth"}},
		"a server as a user":       {jim, user, serverAuth, "invalid usage for client certificate: server auth"},
		"a user for nothing":       {jim, user, usages{"digital signature"}, "missing required usage for client certificate: client auth"},
		"a kubelet":                {request: node(nil), signer: kubelet, usages: clientAuth},
		"a kubelet with RSA":       {request: node(nil), signer: kubelet, usages: usages{"client auth", "digital signature", "key encipherment"}},
		"no kubelet":               {jim, kubelet, clientAuth, "subject organization is not system:nodes"},
		"no node": {
			node(func(r *x509.CertificateRequest) { r.Subject.CommonName = "n" }), kubelet, clientAuth, "subject common name does not begin with system:node:",
		},
		"a kubelet with a name": {node(host), kubelet, clientAuth, "DNS subjectAltNames are not allowed"},
		"a kubelet with an address": {
			node(func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }), kubelet, clientAuth, "IP subjectAltNames are not allowed",
		},
		"a kubelet with mail": {
			node(func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"n@example.com"} }), kubelet, clientAuth, "Email subjectAltNames are not allowed",
		},
		"a kubelet with a URI": {
			node(func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "spiffe", Host: "n"}} }), kubelet, clientAuth, "URI subjectAltNames are not allowed",
		},
		"a kubelet with other usages": {node(nil), kubelet, usages{"client auth"}, "usages did not match [client auth digital signature key encipherment]"},
		"a server of a node":          {request: node(host), signer: serving, usages: serverAuth},
		"a server without a name":     {node(nil), serving, serverAuth, "DNS or IP subjectAltName is required"},
		"a server with other usages":  {node(host), serving, clientAuth, "usages did not match [digital signature key encipherment server auth]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := ask(t, client, tc.request, certificatesv1.CertificateSigningRequestSpec{SignerName: tc.signer, Usages: tc.usages})
			approve(t, client, request)
			cert, failed := answer(t, client, request)
			if got := strings.TrimPrefix(failed, "SignerValidationFailure: "); got != tc.failed {
				t.Fatalf("failed: %q, want %q", got, tc.failed)
			}
			if tc.failed != "" {
				return
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(config.CAData)
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Error(err)
			}
			if cert.IsCA || cert.Subject.CommonName != tc.request.Subject.CommonName || !slices.Equal(cert.DNSNames, tc.request.DNSNames) {
				t.Errorf("certificate of %v for %v, a CA: %v", cert.Subject, cert.DNSNames, cert.IsCA)
			}
		})
	}
}

// A certificate lasts as long as it is asked for, within bounds.
func TestLifetime(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	client := kubernetes.NewForConfigOrDie(stoatest.Start(t, stoatest.WithFlags("--cluster-signing-duration=24h")).Config())
	for name, tc := range map[string]struct {
		seconds *int32
		want    time.Duration // from the beginning, which is five minutes ago
	}{
		"not said":                              {nil, 24 * time.Hour},
		"too long":                              {new(int32(172800)), 24 * time.Hour},
		"an hour":                               {new(int32(3600)), time.Hour + 5*time.Minute},
		"too short, but for what the API takes": {new(int32(600)), 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := ask(t, client, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jim"}}, certificatesv1.CertificateSigningRequestSpec{
				SignerName: "kubernetes.io/kube-apiserver-client", Usages: []certificatesv1.KeyUsage{"client auth"}, ExpirationSeconds: tc.seconds,
			})
			approve(t, client, request)
			cert, failed := answer(t, client, request)
			if failed != "" {
				t.Fatal(failed)
			}
			if got := cert.NotAfter.Sub(cert.NotBefore); got != tc.want {
				t.Errorf("valid for %v, want %v", got, tc.want)
			}
		})
	}
}

// Requests stay as long as somebody may look at them.
func TestCleaner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		request := func(name string, issued bool, conditions ...certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequest {
			out := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(start)}}
			for _, c := range conditions {
				out.Status.Conditions = append(out.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: c, LastUpdateTime: metav1.NewTime(start)})
			}
			if issued {
				out.Status.Certificate = certificate(t, start.Add(24*time.Hour))
			}
			return out
		}
		expired := request("expired", false, certificatesv1.CertificateApproved)
		expired.Status.Certificate = certificate(t, start.Add(-time.Minute))
		damaged := request("damaged", false)
		damaged.Status.Conditions, damaged.Status.Certificate = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved}}, []byte("x")
		client := fake.NewClientset(expired, damaged, request("pending", false), request("denied", false, certificatesv1.CertificateDenied),
			request("failed", false, certificatesv1.CertificateApproved, certificatesv1.CertificateFailed),
			request("issued", true, certificatesv1.CertificateApproved), request("unsigned", false, certificatesv1.CertificateApproved))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			certificates.NewCleaner(work.Server{Client: client})(ctx)
		}()
		want := func(when time.Duration, names ...string) {
			t.Helper()
			<-time.After(time.Until(start.Add(when)))
			synctest.Wait()
			list, err := client.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{})
			if err != nil {
				t.Error(err)
			}
			var got []string
			for i := range list.Items {
				got = append(got, list.Items[i].Name)
			}
			if diff := cmp.Diff(names, got); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", when, diff)
			}
		}
		want(0, "damaged", "denied", "failed", "issued", "pending", "unsigned")
		want(2*time.Hour+time.Second, "damaged", "pending", "unsigned")
		want(24*time.Hour+time.Second, "damaged", "pending", "unsigned")
		want(25*time.Hour+time.Second, "damaged")
		cancel()
		<-done
	})
}

// Requests of pods go a quarter of an hour after they came, whatever became of them.
func TestPodCleaner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		request := func(name string, came time.Duration) *metav1.PartialObjectMetadata {
			return &metav1.PartialObjectMetadata{
				TypeMeta:   metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "PodCertificateRequest"},
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(start.Add(came))},
			}
		}
		scheme := metadatafake.NewTestScheme()
		if err := metav1.AddMetaToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		client := metadatafake.NewSimpleMetadataClient(scheme, request("old", -time.Hour), request("new", 0), request("newer", 4*time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			certificates.NewPodCleaner(work.Server{Metadata: client})(ctx)
		}()
		want := func(when time.Duration, names ...string) {
			t.Helper()
			<-time.After(time.Until(start.Add(when)))
			synctest.Wait()
			list, err := client.Resource(certificatesv1.SchemeGroupVersion.WithResource("podcertificaterequests")).List(ctx, metav1.ListOptions{})
			if err != nil {
				t.Error(err)
			}
			var got []string
			for i := range list.Items {
				got = append(got, list.Items[i].Name)
			}
			if diff := cmp.Diff(names, got); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", when, diff)
			}
		}
		want(time.Second, "new", "newer")
		want(14*time.Minute, "new", "newer")
		want(15*time.Minute+time.Second, "newer")
		want(20*time.Minute + time.Second)
		cancel()
		<-done
	})
}

func certificate(t *testing.T, end time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: nil, NotBefore: end.Add(-48 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
