// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package signing_test

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/certificates/signing"
	"github.com/stoa-project/stoa/apis/certificates"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	const refused = `certificatesigningrequests.certificates.k8s.io "x" is forbidden: user not permitted to sign requests with signerName "example.com/other"`
	requests := certificatesv1.SchemeGroupVersion.WithResource("certificatesigningrequests")
	obj := func(signer, certificate string, conditions ...certificatesv1.CertificateSigningRequestCondition) *certificates.CertificateSigningRequest {
		return &certificates.CertificateSigningRequest{
			Spec:   certificatesv1.CertificateSigningRequestSpec{SignerName: signer},
			Status: certificatesv1.CertificateSigningRequestStatus{Certificate: []byte(certificate), Conditions: conditions},
		}
	}
	failed := certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateFailed}
	p := admissiontest.Start(t, signing.Register, admissiontest.Plugin{
		Allow: func(a authorizer.Attributes) bool {
			return a.GetVerb() == "sign" && a.GetName() == "example.com/*" && a.GetUser().GetName() == "nobody" || a.GetName() == "example.com/own"
		},
	})
	other := obj("example.com/other", "")
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"own":          {admissiontest.Request{Obj: obj("example.com/own", "c"), Old: obj("example.com/own", ""), Resource: requests, Subresource: "status"}, ""},
		"certificate":  {admissiontest.Request{Obj: obj("example.com/other", "c"), Old: other, Resource: requests, Subresource: "status"}, refused},
		"condition":    {admissiontest.Request{Obj: obj("example.com/other", "", failed), Old: other, Resource: requests, Subresource: "status"}, refused},
		"nothing":      {admissiontest.Request{Obj: other, Old: other, Resource: requests, Subresource: "status"}, ""},
		"approval":     {admissiontest.Request{Obj: obj("example.com/other", "c"), Old: other, Resource: requests, Subresource: "approval"}, ""},
		"another kind": {admissiontest.Request{Obj: &certificates.ClusterTrustBundle{}, Old: other, Resource: requests, Subresource: "status"}, `certificatesigningrequests.certificates.k8s.io "x" is forbidden: expected type CertificateSigningRequest, got: *certificates.ClusterTrustBundle`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}
