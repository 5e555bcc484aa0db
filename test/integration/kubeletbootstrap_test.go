// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/certificate/csr"

	"github.com/stoa-project/stoa/authn/bootstraptoken"
	"github.com/stoa-project/stoa/stoatest"
)

// machineKey is what a machine keeps for itself.
type machineKey struct {
	*ecdsa.PrivateKey

	pem []byte
}

func newMachineKey(t *testing.T) machineKey {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	der := must(x509.MarshalECPrivateKey(key))(t)
	return machineKey{key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})}
}

// askForCertificate does what a kubelet does for the certificate of a node, and returns
// the name of its request.
func (k machineKey) askForCertificate(t *testing.T, client kubernetes.Interface, node, signer string, names []string, usage certificatesv1.KeyUsage) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}}, DNSNames: names}
	der := must(x509.CreateCertificateRequest(rand.Reader, template, k.PrivateKey))(t)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, usage}
	name, uid, err := csr.RequestCertificateWithContext(t.Context(), client, text, "", signer, nil, usages, k.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid}}
}

// withCertificate is a client of a server that shows a certificate when that is there.
func (k machineKey) withCertificate(t *testing.T, server *stoatest.Server, by kubernetes.Interface, request *certificatesv1.CertificateSigningRequest) kubernetes.Interface {
	t.Helper()
	config := rest.AnonymousClientConfig(server.Config())
	config.CertData, config.KeyData = must(csr.WaitForCertificate(t.Context(), by, request.Name, request.UID))(t), k.pem
	return clientFor(t, config)
}

// TestKubeletBootstrap has a machine with a bootstrap token become a node, renew its
// certificate, and get one as a server once somebody approves it.
func TestKubeletBootstrap(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags("--enable-bootstrap-token-auth"))
	admin, ctx := clientFor(t, server.Config()), t.Context()
	bind := func(role, group string) {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "kubelet-"}, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "Group", Name: group}},
		}
		must(admin.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}))(t)
	}
	const bootstrappers, approver = "system:bootstrappers", "system:certificates.k8s.io:certificatesigningrequests:"
	bind("system:node-bootstrapper", bootstrappers)
	bind(approver+"nodeclient", bootstrappers)
	bind(approver+"selfnodeclient", "system:nodes")
	bind("system:node-bootstrapper", "askers")
	token := &bootstraptoken.Token{ID: "abcdef", Secret: "0123456789abcdef", Expires: time.Now().Add(time.Hour), Usages: []string{"authentication"}}
	must(admin.CoreV1().Secrets("kube-system").Create(ctx, token.Object(), metav1.CreateOptions{}))(t)
	machine := clientFor(t, bearer(server.Config(), token.Value()))
	eventually(t, func() string {
		_, err := machine.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{})
		return text(err)
	})

	const kubelet, serving = certificatesv1.KubeAPIServerClientKubeletSignerName, certificatesv1.KubeletServingSignerName
	key := newMachineKey(t)
	request := key.askForCertificate(t, machine, "n1", kubelet, nil, certificatesv1.UsageClientAuth)
	node := key.withCertificate(t, server, machine, request)
	must(node.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, metav1.CreateOptions{}))(t)
	approval := func(name string) string {
		conditions := must(admin.CertificatesV1().CertificateSigningRequests().Get(ctx, name, metav1.GetOptions{}))(t).Status.Conditions
		if len(conditions) == 0 {
			return ""
		}
		return conditions[0].Message
	}
	if got := approval(request.Name); got != "Auto approving kubelet client certificate after SubjectAccessReview." {
		t.Errorf("approved: %q", got)
	}

	// A renewal is approved; what somebody without the right asks is not, nor a serving one.
	other := key.askForCertificate(t, impersonate(t, server, "jim", "askers"), "n2", kubelet, nil, certificatesv1.UsageClientAuth)
	server1 := key.askForCertificate(t, node, "n1", serving, []string{"n1.example.com"}, certificatesv1.UsageServerAuth)
	key = newMachineKey(t)
	request = key.askForCertificate(t, node, "n1", kubelet, nil, certificatesv1.UsageClientAuth)
	node = key.withCertificate(t, server, node, request)
	must(node.CoreV1().Nodes().Get(ctx, "n1", metav1.GetOptions{}))(t)
	if got := approval(request.Name); got != "Auto approving self kubelet client certificate after SubjectAccessReview." {
		t.Errorf("renewal approved: %q", got)
	}
	for _, request := range []*certificatesv1.CertificateSigningRequest{other, server1} {
		if got := approval(request.Name); got != "" {
			t.Errorf("%s approved: %q", request.Name, got)
		}
	}
	requests := admin.CertificatesV1().CertificateSigningRequests()
	approved := must(requests.Get(ctx, server1.Name, metav1.GetOptions{}))(t)
	approved.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: "Approved", Status: "True", Reason: "Admin"}}
	must(requests.UpdateApproval(ctx, approved.Name, approved, metav1.UpdateOptions{}))(t)
	block, _ := pem.Decode(must(csr.WaitForCertificate(ctx, node, server1.Name, server1.UID))(t))
	cert := must(x509.ParseCertificate(block.Bytes))(t)
	if err := cert.VerifyHostname("n1.example.com"); err != nil {
		t.Error(err)
	}
}
