// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/apis/certificates/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ClusterTrustBundles returns the kind ClusterTrustBundle.
func ClusterTrustBundles() kind.Kind {
	type bundle = certificates.ClusterTrustBundle
	return kind.New(kind.Definition[bundle]{
		Kind: "ClusterTrustBundle", Plural: "clustertrustbundles",
		ClusterScoped: true,
		Strategy: kind.Strategy[bundle]{
			// What a name may be depends on the signer.
			ValidateName: func(string, bool) []string { return nil },
			Validate: func(_ context.Context, obj *bundle) field.ErrorList {
				return validation.ValidateClusterTrustBundle((*certificatesv1.ClusterTrustBundle)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *bundle) field.ErrorList {
				return validation.ValidateClusterTrustBundleUpdate((*certificatesv1.ClusterTrustBundle)(obj), (*certificatesv1.ClusterTrustBundle)(old))
			},
		},
		Columns: []kind.Column[bundle]{
			kind.Name[bundle](),
			{Name: "SignerName", Description: certificatesv1.ClusterTrustBundleSpec{}.SwaggerDoc()["signerName"], Value: func(b *bundle) any {
				if b.Spec.SignerName == "" {
					return none
				}
				return b.Spec.SignerName
			}},
		},
		Fields: []kind.Field[bundle]{
			{Path: "spec.signerName", Value: func(b *bundle) string { return b.Spec.SignerName }},
		},
	})
}
