// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRequest(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newCertificate(t *testing.T, key *ecdsa.PrivateKey, change func(*x509.Certificate)) string {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(2 * time.Hour)}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func csr(t *testing.T, types ...certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	out := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
		Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: newRequest(t, newKey(t))}),
		SignerName: "example.com/s", Usages: []certificatesv1.KeyUsage{"client auth"},
	}}
	for _, c := range types {
		out.Status.Conditions = append(out.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: c, Status: "True"})
	}
	return out
}

func TestValidateRequest(t *testing.T) {
	t.Parallel()
	fielderrorstest.Compare(t, nil, ValidateCertificateSigningRequest(csr(t)))
	for name, tc := range map[string]struct {
		change func(*certificatesv1.CertificateSigningRequest)
		want   string
	}{
		"usage": {func(c *certificatesv1.CertificateSigningRequest) {
			c.Spec.Usages = append(c.Spec.Usages, "client auth")
		},
			`spec.usages[1]: Duplicate value: "client auth"`},
		"signer": {func(c *certificatesv1.CertificateSigningRequest) { c.Spec.SignerName = "kubernetes.io/legacy-unknown" },
			`spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version`},
		"certificate": {func(c *certificatesv1.CertificateSigningRequest) { c.Status.Certificate = []byte("x") },
			`status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flawed := csr(t)
			tc.change(flawed)
			fielderrorstest.Compare(t, []string{tc.want}, ValidateCertificateSigningRequest(flawed))
			fielderrorstest.Compare(t, nil, ValidateCertificateSigningRequestUpdate(flawed, flawed))
		})
	}
	forged := csr(t)
	block, _ := pem.Decode(forged.Spec.Request)
	block.Bytes[len(block.Bytes)-1] ^= 1
	forged.Spec.Request = pem.EncodeToMemory(block)
	if errs := ValidateCertificateSigningRequest(forged); len(errs) != 1 || errs[0].Field != "spec.request" {
		t.Errorf("a forged request: %v", errs)
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	open, approved, failed := csr(t), csr(t, "Approved"), csr(t, "Failed")
	for _, c := range []*certificatesv1.CertificateSigningRequest{approved, failed} {
		c.Spec = open.Spec
	}
	issued := approved.DeepCopy()
	issued.Status.Certificate = []byte(newCertificate(t, newKey(t), nil))
	type judge = func(obj, old *certificatesv1.CertificateSigningRequest) field.ErrorList
	approval, status := ValidateCertificateSigningRequestApproval, ValidateCertificateSigningRequestStatus
	for _, tc := range []struct {
		name     string
		judge    judge
		obj, old *certificatesv1.CertificateSigningRequest
		want     []string
	}{
		{"approve", approval, approved, open, nil},
		{"approve through status", status, approved, open, []string{`status.conditions: Forbidden: updates may not add a condition of type "Approved"`}},
		{"take back", approval, open, approved, []string{`status.conditions: Forbidden: updates may not remove a condition of type "Approved"`}},
		{"fail", status, failed, open, nil},
		{"issue", status, issued, approved, nil},
		{"issue through approval", approval, issued, approved, []string{"status.certificate: Forbidden: updates may not set certificate content"}},
		{"take the certificate back", status, approved, issued, []string{"status.certificate: Forbidden: updates may not modify existing certificate content"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.want, tc.judge(tc.obj, tc.old))
		})
	}
	both := csr(t, "Approved", "Denied")
	fielderrorstest.Compare(t, []string{`status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive`}, ValidateCertificateSigningRequest(both))
	fielderrorstest.Compare(t, nil, ValidateCertificateSigningRequestUpdate(both, both))
}

func TestValidateAnchors(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	ca := newCertificate(t, key, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	leaf := newCertificate(t, key, nil)
	for bundle, want := range map[string][]string{
		ca:        nil,
		"":        {`b: Invalid value: "<value omitted>": at least one trust anchor must be provided`},
		ca + leaf: {`b: Invalid value: "<value omitted>": entry 1 does not have the CA bit set`},
		ca + ca:   {`b: Invalid value: "<value omitted>": duplicate trust anchor (indices [0 1])`},
		strings.ReplaceAll(ca, "CERTIFICATE", "KEY"): {`b: Invalid value: "<value omitted>": entry 0 has bad block type: KEY`},
	} {
		fielderrorstest.Compare(t, want, validateAnchors(bundle, field.NewPath("b")))
	}
	linked := &certificatesv1.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: "example.com:s:a"}, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: "example.com/s", TrustBundle: ca}}
	fielderrorstest.Compare(t, nil, ValidateClusterTrustBundle(linked))
	other := linked.DeepCopy()
	other.Spec.SignerName, other.Spec.TrustBundle = "example.com/t", ca
	fielderrorstest.Compare(t, []string{
		`metadata.name: Invalid value: "example.com:s:a": ClusterTrustBundle for signerName example.com/t must be named with prefix example.com:t:`,
		`spec.signerName: Invalid value: "example.com/t": field is immutable`,
	}, ValidateClusterTrustBundleUpdate(other, linked))
}

func TestPodRequest(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	open := &certificatesv1.PodCertificateRequest{Spec: certificatesv1.PodCertificateRequestSpec{
		SignerName: "example.com/s", PodName: "p", PodUID: "1", ServiceAccountName: "a", ServiceAccountUID: "2", NodeName: "n", NodeUID: "3",
		MaxExpirationSeconds: new(int32(7200)), StubPKCS10Request: newRequest(t, key),
	}}
	fielderrorstest.Compare(t, nil, ValidatePodCertificateRequest(open))
	ours := open.DeepCopy()
	ours.Spec.SignerName, ours.Spec.MaxExpirationSeconds = "kubernetes.io/s", new(int32(100000))
	ours.Spec.UnverifiedUserAnnotations = map[string]string{"plain": ""}
	fielderrorstest.Compare(t, []string{
		`spec.unverifiedUserAnnotations[plain]: Invalid value: "plain": must be a domain-prefixed key (such as "acme.io/foo")`,
		"spec.maxExpirationSeconds: Invalid value: 100000: must be in the range [3600, 86400]",
	}, ValidatePodCertificateRequest(ours))

	now := time.Now().Truncate(time.Second)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	ended := func(end string, change func(*certificatesv1.PodCertificateRequestStatus)) *certificatesv1.PodCertificateRequest {
		out := open.DeepCopy()
		out.Status.Conditions = []metav1.Condition{{Type: end, Status: "True", Reason: "R", LastTransitionTime: *at(0)}}
		if change != nil {
			change(&out.Status)
		}
		return out
	}
	issue := func(chain string) func(*certificatesv1.PodCertificateRequestStatus) {
		return func(s *certificatesv1.PodCertificateRequestStatus) {
			s.CertificateChain, s.NotBefore, s.NotAfter, s.BeginRefreshAt = chain, at(0), at(2*time.Hour), at(time.Hour)
		}
	}
	sameTimes := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now, now.Add(2*time.Hour) }
	for _, tc := range []struct {
		name     string
		obj, old *certificatesv1.PodCertificateRequest
		want     []string
	}{
		{"denied", ended(denied, nil), open, nil},
		{"denied and more", ended(denied, issue("x")), open, []string{"status: Invalid value: non-condition status fields must be empty when denying or failing the PodCertificateRequest"}},
		{"denied, then failed", ended(failed, nil), ended(denied, nil), []string{"status: Invalid value: immutable after PodCertificateRequest is issued, denied, or failed"}},
		{"issued", ended(issued, issue(newCertificate(t, key, sameTimes))), open, nil},
		{"issued to another", ended(issued, issue("x")), open, []string{`status.certificateChain: Invalid value: "x": issued certificate chain must contain at least one certificate`}},
		{"other times", ended(issued, issue(newCertificate(t, key, func(c *x509.Certificate) { sameTimes(c); c.NotAfter = now.Add(time.Hour) }))), open, []string{
			`status.notAfter: Invalid value: "` + at(2*time.Hour).Format(time.RFC3339) + `": must be set to the NotAfter time encoded in the leaf certificate`}},
		{"nothing said", func() *certificatesv1.PodCertificateRequest {
			o := open.DeepCopy()
			o.Status.CertificateChain = "x"
			return o
		}(), open, []string{`status: Invalid value: status is immutable unless transitioning to "Issued", "Denied", or "Failed"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.want, ValidatePodCertificateRequestStatus(tc.obj, tc.old, now))
		})
	}
	stranger := ended(issued, issue(newCertificate(t, newKey(t), sameTimes)))
	if errs := ValidatePodCertificateRequestStatus(stranger, open, now); len(errs) != 1 || errs[0].Detail != "leaf certificate was not issued to the requested public key" {
		t.Errorf("a certificate of another key: %v", errs)
	}
}
