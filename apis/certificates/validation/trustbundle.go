// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

const (
	maxTrustBundle = 1 << 20
	// omitted stands in errors for the text of a bundle.
	omitted = "<value omitted>"
)

// ValidateClusterTrustBundle judges a new bundle.
func ValidateClusterTrustBundle(obj *certificatesv1.ClusterTrustBundle) field.ErrorList {
	return append(validateBundleNames(obj), validateAnchors(obj.Spec.TrustBundle, field.NewPath("spec", "trustBundle"))...)
}

// ValidateClusterTrustBundleUpdate judges a changed bundle. Anchors that stay are not
// read again: what the library takes may differ from version to version.
func ValidateClusterTrustBundleUpdate(obj, old *certificatesv1.ClusterTrustBundle) field.ErrorList {
	errs := validateBundleNames(obj)
	if obj.Spec.TrustBundle != old.Spec.TrustBundle {
		errs = append(errs, validateAnchors(obj.Spec.TrustBundle, field.NewPath("spec", "trustBundle"))...)
	}
	return append(errs, apivalidation.ValidateImmutableField(obj.Spec.SignerName, old.Spec.SignerName, field.NewPath("spec", "signerName")).
		WithOrigin("immutable").MarkCoveredByDeclarative().MarkAlpha()...)
}

// validateBundleNames judges the name of a bundle, which depends on its signer.
func validateBundleNames(obj *certificatesv1.ClusterTrustBundle) field.ErrorList {
	var errs field.ErrorList
	metadata, rules := field.NewPath("metadata"), corevalidation.ClusterTrustBundleName(obj.Spec.SignerName)
	if obj.GenerateName != "" {
		errs = append(errs, fielderrors.Each(metadata.Child("generateName"), obj.GenerateName, rules(obj.GenerateName, true))...)
	}
	if obj.Name != "" {
		errs = append(errs, fielderrors.Each(metadata.Child("name"), obj.Name, rules(obj.Name, false))...)
	}
	if obj.Spec.SignerName != "" {
		errs = append(errs, corevalidation.ValidateSignerName(obj.Spec.SignerName, field.NewPath("spec", "signerName"))...)
	}
	return errs
}

// validateAnchors demands certificates of CAs, each of them once, and nothing else.
func validateAnchors(bundle string, at *field.Path) field.ErrorList {
	if len(bundle) > maxTrustBundle {
		return field.ErrorList{field.TooLong(at, "" /* not printed */, maxTrustBundle)}
	}
	var errs field.ErrorList
	var order []string
	indices := map[string][]int{}
	i := 0
	for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
		if msg := invalidAnchor(block); msg != "" {
			errs = append(errs, field.Invalid(at, omitted, fmt.Sprintf("entry %d %s", i, msg)))
		}
		der := string(block.Bytes)
		if !slices.Contains(order, der) {
			order = append(order, der)
		}
		indices[der] = append(indices[der], i)
		i++
	}
	switch {
	case len(errs) > 0:
		return errs // what is wrong with the rest may follow from it
	case len(order) == 0:
		return field.ErrorList{field.Invalid(at, omitted, "at least one trust anchor must be provided")}
	}
	for _, der := range order {
		if len(indices[der]) > 1 {
			errs = append(errs, field.Invalid(at, omitted, fmt.Sprintf("duplicate trust anchor (indices %v)", indices[der])))
		}
	}
	return errs
}

func invalidAnchor(block *pem.Block) string {
	if block.Type != "CERTIFICATE" {
		return fmt.Sprintf("has bad block type: %v", block.Type)
	}
	if len(block.Headers) > 0 {
		return "has PEM block headers"
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return "does not parse as X.509"
	case !cert.IsCA:
		return "does not have the CA bit set"
	case !cert.BasicConstraintsValid:
		return "has invalid basic constraints"
	}
	return ""
}
