// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

const (
	maxUID             = 128
	maxStub            = 10 << 10
	minExpiration      = 60 * 60
	maxExpiration      = 91 * 24 * 60 * 60
	maxExpirationOfOur = 24 * 60 * 60
)

// ValidatePodCertificateRequest judges a new request.
func ValidatePodCertificateRequest(obj *certificatesv1.PodCertificateRequest) field.ErrorList {
	s, at := &obj.Spec, field.NewPath("spec")
	errs := corevalidation.ValidateSignerName(s.SignerName, at.Child("signerName"))
	errs = append(errs, corevalidation.ValidateUserAnnotations(s.UnverifiedUserAnnotations, at.Child("unverifiedUserAnnotations"))...)
	for _, of := range []struct {
		object, name string
		uid          types.UID
	}{
		{"pod", s.PodName, s.PodUID},
		{"serviceAccount", s.ServiceAccountName, s.ServiceAccountUID},
		{"node", string(s.NodeName), s.NodeUID},
	} {
		errs = append(errs, fielderrors.Each(at.Child(of.object+"Name"), of.name, apivalidation.NameIsDNSSubdomain(of.name, false))...)
		if of.uid == "" {
			errs = append(errs, field.Invalid(at.Child(of.object+"UID"), of.uid, "must not be empty"))
		}
		if len(of.uid) > maxUID {
			errs = append(errs, field.TooLong(at.Child(of.object+"UID"), of.uid, maxUID))
		}
	}
	if s.MaxExpirationSeconds == nil {
		return append(errs, field.Required(at.Child("maxExpirationSeconds"), "must be set"))
	}
	longest := int32(maxExpiration)
	if isKubernetesSigner(s.SignerName) {
		longest = maxExpirationOfOur
	}
	if n := *s.MaxExpirationSeconds; n < minExpiration || n > longest {
		errs = append(errs, field.Invalid(at.Child("maxExpirationSeconds"), n, fmt.Sprintf("must be in the range [%d, %d]", minExpiration, longest)))
	}
	return append(errs, validateStub(s.StubPKCS10Request, at)...)
}

func isKubernetesSigner(name string) bool {
	domain, _, _ := strings.Cut(name, "/")
	return domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io")
}

func validateStub(der []byte, spec *field.Path) field.ErrorList {
	at := spec.Child("stubPKCS10Request")
	if len(der) == 0 {
		return field.ErrorList{field.Invalid(spec, field.OmitValueType{},
			"exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set")}
	}
	if len(der) > maxStub {
		return field.ErrorList{field.TooLong(at, der, maxStub)}
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "must be a valid PKCS#10 CSR")}
	}
	if request.CheckSignature() != nil {
		return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "must be a PKCS#10 CSR with a valid signature")}
	}
	return validateKey(request.PublicKey, at)
}

func validateKey(key any, at *field.Path) field.ErrorList {
	switch key := key.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {
			return field.ErrorList{field.Invalid(at, "curve "+key.Curve.Params().Name, "elliptic public keys must use curve P256 or P384")}
		}
	case *rsa.PublicKey:
		if bits := key.Size() * 8; bits != 3072 && bits != 4096 {
			return field.ErrorList{field.Invalid(at, fmt.Sprintf("%d-bit modulus", bits), "RSA keys must have modulus size 3072 or 4096")}
		}
	default:
		return field.ErrorList{field.Invalid(at, field.OmitValueType{}, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")}
	}
	return nil
}

// ValidatePodCertificateRequestUpdate judges a change of metadata: nothing else may
// change.
func ValidatePodCertificateRequestUpdate(obj, old *certificatesv1.PodCertificateRequest) field.ErrorList {
	if apiequality.Semantic.DeepEqual(obj.Spec, old.Spec) {
		return nil
	}
	s := obj.Spec
	// The hub of Kubernetes has two fields more, of an older version.
	return field.ErrorList{field.Invalid(field.NewPath("spec"), struct {
		SignerName, PodName                                 string
		PodUID                                              types.UID
		ServiceAccountName                                  string
		ServiceAccountUID                                   types.UID
		NodeName                                            types.NodeName
		NodeUID                                             types.UID
		MaxExpirationSeconds                                *int32
		PKIXPublicKey, ProofOfPossession, StubPKCS10Request []byte
		UnverifiedUserAnnotations                           map[string]string
	}{
		s.SignerName, s.PodName, s.PodUID, s.ServiceAccountName, s.ServiceAccountUID, s.NodeName, s.NodeUID,
		s.MaxExpirationSeconds, nil, nil, s.StubPKCS10Request, s.UnverifiedUserAnnotations,
	}, apivalidation.FieldImmutableErrorMsg)}
}
