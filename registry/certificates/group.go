// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"github.com/stoa-project/stoa/apis/certificates"
	certificatesv1 "github.com/stoa-project/stoa/apis/certificates/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// Group returns the group certificates.k8s.io.
func Group() kind.Group {
	v1 := []string{"v1"}
	return kind.Group{
		Name:    certificates.GroupName,
		Install: kind.Types(certificatesv1.AddToScheme),
		Resources: []kind.Resource{
			{Kind: CertificateSigningRequests(), Versions: v1},
			{Kind: ClusterTrustBundles(), Versions: v1},
			{Kind: PodCertificateRequests(), Versions: v1},
		},
	}
}
