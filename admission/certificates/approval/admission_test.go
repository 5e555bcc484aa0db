// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/certificates/approval"
	"github.com/stoa-project/stoa/apis/certificates"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	requests := certificatesv1.SchemeGroupVersion.WithResource("certificatesigningrequests")
	obj := func(signer string) *certificates.CertificateSigningRequest {
		return &certificates.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: signer}}
	}
	p := admissiontest.Start(t, approval.Register, admissiontest.Plugin{
		Allow: func(a authorizer.Attributes) bool {
			return a.GetVerb() == "approve" && a.GetName() == "example.com/own"
		},
	})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"own":          {admissiontest.Request{Obj: obj("example.com/own"), Old: obj("example.com/own"), Resource: requests, Subresource: "approval"}, ""},
		"of another":   {admissiontest.Request{Obj: obj("example.com/other"), Old: obj("example.com/other"), Resource: requests, Subresource: "approval"}, `certificatesigningrequests.certificates.k8s.io "x" is forbidden: user not permitted to approve requests with signerName "example.com/other"`},
		"made own":     {admissiontest.Request{Obj: obj("example.com/own"), Old: obj("example.com/other"), Resource: requests, Subresource: "approval"}, `certificatesigningrequests.certificates.k8s.io "x" is forbidden: user not permitted to approve requests with signerName "example.com/other"`},
		"status":       {admissiontest.Request{Obj: obj("example.com/other"), Old: obj("example.com/other"), Resource: requests, Subresource: "status"}, ""},
		"update":       {admissiontest.Request{Obj: obj("example.com/other"), Old: obj("example.com/other"), Resource: requests}, ""},
		"another kind": {admissiontest.Request{Obj: obj(""), Old: &certificates.ClusterTrustBundle{}, Resource: requests, Subresource: "approval"}, `certificatesigningrequests.certificates.k8s.io "x" is forbidden: expected type CertificateSigningRequest, got: *certificates.ClusterTrustBundle`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}
