// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// legacySigner signed whatever nobody else did. It is gone, but requests for it are
// still stored.
const legacySigner = "kubernetes.io/legacy-unknown"

// usages are those that a request may ask for, sorted for messages.
//
//nolint:gochecknoglobals // constant
var usages = []certificatesv1.KeyUsage{
	"any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
	"decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
	"ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
	"server auth", "signing", "timestamping",
}

// ValidateRequestName takes any name that metadata may have.
func ValidateRequestName(string, bool) []string { return nil }

// tolerance says which flaws of a stored request a change of it may keep.
type tolerance struct {
	unknownUsages, duplicateUsages       bool
	legacySigner                         bool
	emptyTypes, duplicateTypes, bothEnds bool
	certificate                          bool
}

// tolerated finds the flaws that a request has already.
func tolerated(obj, old *certificatesv1.CertificateSigningRequest) tolerance {
	t := tolerance{
		legacySigner: old.Spec.SignerName == legacySigner,
		certificate:  bytes.Equal(obj.Status.Certificate, old.Status.Certificate) || checkCertificates(old.Status.Certificate) != nil,
	}
	seen := map[any]bool{}
	for _, usage := range old.Spec.Usages {
		t.unknownUsages = t.unknownUsages || !slices.Contains(usages, usage)
		t.duplicateUsages = t.duplicateUsages || seen[usage]
		seen[usage] = true
	}
	for _, c := range old.Status.Conditions {
		t.emptyTypes = t.emptyTypes || c.Type == ""
		t.duplicateTypes = t.duplicateTypes || seen[c.Type]
		seen[c.Type] = true
	}
	t.bothEnds = seen[certificatesv1.CertificateApproved] && seen[certificatesv1.CertificateDenied]
	return t
}

// ValidateCertificateSigningRequest judges a new request.
func ValidateCertificateSigningRequest(obj *certificatesv1.CertificateSigningRequest) field.ErrorList {
	return validateRequest(obj, tolerance{})
}

// ValidateCertificateSigningRequestUpdate judges a change of metadata, which can
// neither approve nor issue.
func ValidateCertificateSigningRequestUpdate(obj, old *certificatesv1.CertificateSigningRequest) field.ErrorList {
	errs := append(validateUpdate(obj, old), validateDecision(obj, old)...)
	return append(errs, forbidCertificate(obj, old)...)
}

// ValidateCertificateSigningRequestStatus judges a changed status, which may issue
// the certificate once.
func ValidateCertificateSigningRequestStatus(obj, old *certificatesv1.CertificateSigningRequest) field.ErrorList {
	errs := append(validateUpdate(obj, old), validateDecision(obj, old)...)
	if len(old.Status.Certificate) > 0 && !bytes.Equal(obj.Status.Certificate, old.Status.Certificate) {
		errs = append(errs, field.Forbidden(field.NewPath("status", "certificate"), "updates may not modify existing certificate content"))
	}
	return errs
}

// ValidateCertificateSigningRequestApproval judges a changed approval.
func ValidateCertificateSigningRequestApproval(obj, old *certificatesv1.CertificateSigningRequest) field.ErrorList {
	return append(validateUpdate(obj, old), forbidCertificate(obj, old)...)
}

func forbidCertificate(obj, old *certificatesv1.CertificateSigningRequest) field.ErrorList {
	if bytes.Equal(obj.Status.Certificate, old.Status.Certificate) {
		return nil
	}
	return field.ErrorList{field.Forbidden(field.NewPath("status", "certificate"), "updates may not set certificate content")}
}

// validateUpdate judges the result of any change, which may not take back a decision.
func validateUpdate(obj, old *certificatesv1.CertificateSigningRequest) field.ErrorList {
	errs := validateRequest(obj, tolerated(obj, old))
	for _, t := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed} {
		if len(conditions(obj, t)) < len(conditions(old, t)) {
			errs = append(errs, field.Forbidden(field.NewPath("status", "conditions"), fmt.Sprintf("updates may not remove a condition of type %q", t)))
		}
	}
	return errs
}

// validateDecision keeps those who may not approve from doing so.
func validateDecision(obj, old *certificatesv1.CertificateSigningRequest) field.ErrorList {
	var errs field.ErrorList
	at := field.NewPath("status", "conditions")
	for _, t := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied} {
		is, was := conditions(obj, t), conditions(old, t)
		switch {
		case len(is) > len(was):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("updates may not add a condition of type %q", t)))
		case len(is) == len(was) && !apiequality.Semantic.DeepEqual(is, was):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("updates may not modify a condition of type %q\n%v", t, diff.Diff(was, is))))
		}
	}
	return errs
}

func conditions(obj *certificatesv1.CertificateSigningRequest, t certificatesv1.RequestConditionType) []certificatesv1.CertificateSigningRequestCondition {
	var out []certificatesv1.CertificateSigningRequestCondition
	for _, c := range obj.Status.Conditions {
		if c.Type == t {
			out = append(out, c)
		}
	}
	return out
}

func validateRequest(obj *certificatesv1.CertificateSigningRequest, t tolerance) field.ErrorList {
	var errs field.ErrorList
	spec := field.NewPath("spec")
	if err := checkRequest(obj.Spec.Request); err != nil {
		errs = append(errs, field.Invalid(spec.Child("request"), obj.Spec.Request, err.Error()))
	}
	errs = append(errs, validateUsages(obj.Spec.Usages, t, spec.Child("usages"))...)
	if obj.Spec.SignerName == legacySigner && !t.legacySigner {
		errs = append(errs, field.Invalid(spec.Child("signerName"), obj.Spec.SignerName, "the legacy signerName is not allowed via this API version"))
	} else {
		errs = append(errs, corevalidation.ValidateSignerName(obj.Spec.SignerName, spec.Child("signerName"))...)
	}
	if seconds := obj.Spec.ExpirationSeconds; seconds != nil && *seconds < 600 {
		errs = append(errs, field.Invalid(spec.Child("expirationSeconds"), *seconds, "may not specify a duration less than 600 seconds (10 minutes)"))
	}
	errs = append(errs, validateConditions(obj.Status.Conditions, t, field.NewPath("status", "conditions"))...)
	if err := checkCertificates(obj.Status.Certificate); err != nil && !t.certificate {
		errs = append(errs, field.Invalid(field.NewPath("status", "certificate"), "<certificate data>", err.Error()))
	}
	return errs
}

func validateUsages(asked []certificatesv1.KeyUsage, t tolerance, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(asked) == 0 {
		return append(errs, field.Required(at, ""))
	}
	for i, usage := range asked {
		if !t.unknownUsages && !slices.Contains(usages, usage) {
			errs = append(errs, field.NotSupported(at.Index(i), usage, usages))
		}
		if !t.duplicateUsages && slices.Contains(asked[:i], usage) {
			errs = append(errs, field.Duplicate(at.Index(i), usage))
		}
	}
	return errs
}

func validateConditions(all []certificatesv1.CertificateSigningRequestCondition, t tolerance, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[certificatesv1.RequestConditionType]bool{}
	for i, c := range all {
		at := at.Index(i)
		if c.Type == "" && !t.emptyTypes {
			errs = append(errs, field.Required(at.Child("type"), ""))
		}
		statuses := []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown}
		other := map[certificatesv1.RequestConditionType]certificatesv1.RequestConditionType{
			certificatesv1.CertificateApproved: certificatesv1.CertificateDenied,
			certificatesv1.CertificateDenied:   certificatesv1.CertificateApproved,
		}[c.Type]
		if other != "" || c.Type == certificatesv1.CertificateFailed {
			statuses = []corev1.ConditionStatus{corev1.ConditionTrue}
		}
		errs = append(errs, fielderrors.RequireOneOf(at.Child("status"), c.Status, statuses...)...)
		if other != "" && seen[other] && !t.bothEnds {
			errs = append(errs, field.Invalid(field.NewPath("status", "conditions"), c.Type, "Approved and Denied conditions are mutually exclusive").
				WithOrigin("zeroOrOneOf").MarkCoveredByDeclarative())
		}
		if seen[c.Type] && !t.duplicateTypes {
			errs = append(errs, field.Duplicate(at.Child("type"), c.Type))
		}
		seen[c.Type] = true
	}
	return errs
}

// checkRequest demands a request in PEM that is signed by its own key.
func checkRequest(data []byte) error {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return err
	}
	return request.CheckSignature()
}

// checkCertificates demands that what was issued, if anything, is certificates.
func checkCertificates(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		found = true
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("only CERTIFICATE PEM blocks are allowed, found %q", block.Type)
		}
		if len(block.Headers) > 0 {
			return errors.New("no PEM block headers are permitted")
		}
		certs, err := x509.ParseCertificates(block.Bytes)
		if err != nil {
			return err
		}
		if len(certs) == 0 {
			return errors.New("found CERTIFICATE PEM block containing 0 certificates")
		}
	}
	if !found {
		return errors.New("must contain at least one CERTIFICATE PEM block")
	}
	return nil
}
