// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package attest_test

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/certificates/attest"
	"github.com/stoa-project/stoa/apis/certificates"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	const refused = `clustertrustbundles.certificates.k8s.io "x" is forbidden: user not permitted to attest for signerName "example.com/other"`
	bundles := certificatesv1.SchemeGroupVersion.WithResource("clustertrustbundles")
	obj := func(signer, trust string) *certificates.ClusterTrustBundle {
		return &certificates.ClusterTrustBundle{Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: trust}}
	}
	kept := obj("example.com/other", "a")
	kept.Finalizers = []string{"example.com/keep"}
	p := admissiontest.Start(t, attest.Register, admissiontest.Plugin{
		Allow: func(a authorizer.Attributes) bool { return a.GetVerb() == "attest" && a.GetName() == "example.com/own" },
	})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"own":              {admissiontest.Request{Obj: obj("example.com/own", "a"), Resource: bundles}, ""},
		"of another":       {admissiontest.Request{Obj: obj("example.com/other", "a"), Resource: bundles}, refused},
		"of nobody":        {admissiontest.Request{Obj: obj("", "a"), Resource: bundles}, ""},
		"changed":          {admissiontest.Request{Obj: obj("example.com/other", "b"), Old: obj("example.com/other", "a"), Resource: bundles}, refused},
		"kept":             {admissiontest.Request{Obj: kept, Old: obj("example.com/other", "a"), Resource: bundles}, ""},
		"another kind":     {admissiontest.Request{Obj: &certificates.PodCertificateRequest{}, Resource: bundles}, `clustertrustbundles.certificates.k8s.io "x" is forbidden: expected type ClusterTrustBundle, got: *certificates.PodCertificateRequest`},
		"another resource": {admissiontest.Request{Obj: obj("example.com/other", "a"), Resource: certificatesv1.SchemeGroupVersion.WithResource("podcertificaterequests")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}
