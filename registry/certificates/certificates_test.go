// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

// request returns a certificate request, as DER.
func request(t *testing.T, key ed25519.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// authority returns the certificate of an authority, as PEM.
func authority(t *testing.T, key ed25519.PrivateKey, serial int64) []byte {
	t.Helper()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: now, NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestKinds(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t).Config()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	stub := request(t, key)
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: stub})
	signed := authority(t, key, 1)
	base := base64.StdEncoding.EncodeToString
	const denied = `status: {conditions: [{type: Denied, status: "True", reason: UnsupportedKeyType, message: never, lastTransitionTime: "2026-01-15T08:05:00Z"}]}`
	for _, suite := range []kindtest.Suite{{
		Resource: schema.GroupVersionResource{Group: "certificates.k8s.io", Version: "v1", Resource: "certificatesigningrequests"},
		Valid: `
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {annotations: {a: b}}
spec:
  signerName: example.com/signer
  usages: [client auth]
  request: ` + base(asPEM),
		Update:         "metadata: {annotations: {a: c}}",
		Status:         "status: {certificate: " + base(signed) + "}",
		StatusMetadata: true,
		Invalid: []kindtest.Invalid{{
			Name: "for nothing", Patch: "spec: {usages: []}", Errors: []string{"spec.usages: Required value"},
		}, {
			Name: "for too short", Patch: "spec: {expirationSeconds: 1}",
			Errors: []string{"spec.expirationSeconds: Invalid value: 1: may not specify a duration less than 600 seconds (10 minutes)"},
		}, {
			Name: "no domain", Patch: "spec: {signerName: signer}",
			Errors: []string{`spec.signerName: Invalid value: "signer": must be a fully qualified domain and path of the form 'example.com/signer-name'`},
		}, {
			Name: "no request", Patch: "spec: {request: bm9uZQ==}",
			Errors: []string{`spec.request: Invalid value: "bm9uZQ==": PEM block type must be CERTIFICATE REQUEST`},
		}},
		Columns:    []string{"Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"},
		Selectors:  map[string]bool{"spec.signerName=example.com/signer": true, "spec.signerName=example.com/other": false},
		ShortNames: []string{"csr"},
	}, {
		Resource: schema.GroupVersionResource{Group: "certificates.k8s.io", Version: "v1", Resource: "clustertrustbundles"},
		Name:     func(name string) string { return "example.com:signer:" + name },
		Valid:    fmt.Sprintf("{apiVersion: certificates.k8s.io/v1, kind: ClusterTrustBundle, spec: {signerName: example.com/signer, trustBundle: %q}}", signed),
		Update:   fmt.Sprintf("spec: {trustBundle: %q}", authority(t, key, 2)),
		Invalid: []kindtest.Invalid{{
			Name: "a name of another signer", Patch: "metadata: {name: example.com:other:a}",
			Errors: []string{`metadata.name: Invalid value: "example.com:other:a": ClusterTrustBundle for signerName example.com/signer must be named with prefix example.com:signer:`},
		}, {
			Name: "nothing to trust", Patch: `spec: {trustBundle: ""}`,
			Errors: []string{`spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be provided`},
		}, {
			Name: "another signer", OnUpdate: true, Patch: "spec: {signerName: example.com/other}", Errors: []string{
				`metadata.name: Invalid value: "example.com:signer:kindtest-invalid-2": ClusterTrustBundle for signerName example.com/other must be named with prefix example.com:other:`,
				`spec.signerName: Invalid value: "example.com/other": field is immutable`,
			},
		}},
		Columns:   []string{"Name", "SignerName"},
		Selectors: map[string]bool{"spec.signerName=example.com/signer": true, "spec.signerName=example.com/other": false},
	}, {
		Resource:  schema.GroupVersionResource{Group: "certificates.k8s.io", Version: "v1", Resource: "podcertificaterequests"},
		Namespace: "default",
		Valid: `
apiVersion: certificates.k8s.io/v1
kind: PodCertificateRequest
metadata: {annotations: {a: b}}
spec:
  signerName: example.com/signer
  podName: web-0
  podUID: a
  serviceAccountName: default
  serviceAccountUID: b
  nodeName: node-a
  nodeUID: c
  maxExpirationSeconds: 86400
  stubPKCS10Request: ` + base(stub),
		Update: "metadata: {annotations: {a: c}}",
		Status: denied,
		Invalid: []kindtest.Invalid{{
			Name: "of no pod", Patch: "spec: {podUID: null}", Errors: []string{`spec.podUID: Invalid value: "": must not be empty`},
		}, {
			Name: "no key", Patch: "spec: {stubPKCS10Request: null}",
			Errors: []string{"spec: Invalid value: exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"},
		}, {
			Name: "for another pod", OnUpdate: true, Patch: "spec: {podName: web-1}",
			Errors: []string{fmt.Sprintf(`spec: Invalid value: {"SignerName":"example.com/signer","PodName":"web-1","PodUID":"a","ServiceAccountName":"default","ServiceAccountUID":"b","NodeName":"node-a","NodeUID":"c","MaxExpirationSeconds":86400,"PKIXPublicKey":null,"ProofOfPossession":null,"StubPKCS10Request":%q,"UnverifiedUserAnnotations":null}: field is immutable`, base(stub))},
		}},
		Columns:   []string{"Name", "PodName", "ServiceAccountName", "NodeName", "SignerName", "State", "UnverifiedUserAnnotations"},
		Selectors: map[string]bool{"spec.podName=web-0": true, "spec.nodeName=node-b": false, "spec.signerName=example.com/signer": true},
	}} {
		t.Run(suite.Resource.Resource, func(t *testing.T) {
			t.Parallel()
			suite.Config = config
			kindtest.Run(t, suite)
		})
	}
}
