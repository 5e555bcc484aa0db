// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/registry/kind"
)

// CertificateSigningRequests returns the kind CertificateSigningRequest.
func CertificateSigningRequests() kind.Kind {
	return kind.New(kind.Definition[certificates.CertificateSigningRequest]{
		Kind: "CertificateSigningRequest", Plural: "certificatesigningrequests", ShortNames: []string{"csr"},
		ClusterScoped: true,
		Spec: kind.PartOf(func(c *certificates.CertificateSigningRequest) *certificatesv1.CertificateSigningRequestSpec {
			return &c.Spec
		}),
		Status: kind.PartOf(func(c *certificates.CertificateSigningRequest) *certificatesv1.CertificateSigningRequestStatus {
			return &c.Status
		}),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
