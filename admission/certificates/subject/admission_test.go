// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package subject_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/certificates/subject"
	"github.com/stoa-project/stoa/apis/certificates"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	requests := certificatesv1.SchemeGroupVersion.WithResource("certificatesigningrequests")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	obj := func(signer string, groups ...string) *certificates.CertificateSigningRequest {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{Organization: groups}}, key)
		if err != nil {
			t.Fatal(err)
		}
		return &certificates.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: signer, Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		}}
	}
	const client = "kubernetes.io/kube-apiserver-client"
	broken := &certificates.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: client, Request: []byte("x")}}
	admin := obj(client, "others", "system:masters")
	p := admissiontest.Start(t, subject.Register, admissiontest.Plugin{})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"client":         {admissiontest.Request{Obj: obj(client, "others"), Resource: requests}, ""},
		"administrator":  {admissiontest.Request{Obj: admin, Resource: requests}, `certificatesigningrequests.certificates.k8s.io "x" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed`},
		"another signer": {admissiontest.Request{Obj: obj("example.com/a", "system:masters"), Resource: requests}, ""},
		"broken":         {admissiontest.Request{Obj: broken, Resource: requests}, `certificatesigningrequests.certificates.k8s.io "x" is forbidden: failed to parse CSR: PEM block type must be CERTIFICATE REQUEST`},
		"update":         {admissiontest.Request{Obj: admin, Old: admin, Resource: requests}, ""},
		"another kind":   {admissiontest.Request{Obj: &certificates.ClusterTrustBundle{}, Resource: requests}, `certificatesigningrequests.certificates.k8s.io "x" is forbidden: expected type CertificateSigningRequest, got: *certificates.ClusterTrustBundle`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}
