// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/registry/kind"
)

// PodCertificateRequests returns the kind PodCertificateRequest.
func PodCertificateRequests() kind.Kind {
	return kind.New(kind.Definition[certificates.PodCertificateRequest]{
		Kind: "PodCertificateRequest", Plural: "podcertificaterequests",
		Spec: kind.PartOf(func(p *certificates.PodCertificateRequest) *certificatesv1.PodCertificateRequestSpec { return &p.Spec }),
		Status: kind.PartOf(func(p *certificates.PodCertificateRequest) *certificatesv1.PodCertificateRequestStatus {
			return &p.Status
		}),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
