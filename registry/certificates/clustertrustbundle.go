// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/registry/kind"
)

// ClusterTrustBundles returns the kind ClusterTrustBundle.
func ClusterTrustBundles() kind.Kind {
	return kind.New(kind.Definition[certificates.ClusterTrustBundle]{
		Kind: "ClusterTrustBundle", Plural: "clustertrustbundles",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(c *certificates.ClusterTrustBundle) *certificatesv1.ClusterTrustBundleSpec { return &c.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
