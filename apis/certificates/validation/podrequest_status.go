// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxChain    = 100 << 10
	maxSkew     = 5 * time.Minute
	minLifetime = time.Hour
	minRefresh  = 10 * time.Minute

	issued = certificatesv1.PodCertificateRequestConditionTypeIssued
	denied = certificatesv1.PodCertificateRequestConditionTypeDenied
	failed = certificatesv1.PodCertificateRequestConditionTypeFailed
)

// ValidatePodCertificateRequestStatus judges a changed status. A request ends once:
//
//	(no condition) ──► Issued | Denied | Failed
func ValidatePodCertificateRequestStatus(obj, old *certificatesv1.PodCertificateRequest, now time.Time) field.ErrorList {
	at := field.NewPath("status")
	if errs := validatePodConditions(obj.Status.Conditions, at.Child("conditions")); len(errs) > 0 {
		return errs // they tell how to judge the rest
	}
	end := ending(obj)
	want, msg := old.Status, "status is immutable unless transitioning to \"Issued\", \"Denied\", or \"Failed\""
	switch {
	case ending(old) != "":
		msg = "immutable after PodCertificateRequest is issued, denied, or failed"
	case end == issued:
		return validateIssued(obj, now)
	case end != "":
		want = certificatesv1.PodCertificateRequestStatus{Conditions: obj.Status.Conditions}
		msg = "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
	}
	if apiequality.Semantic.DeepEqual(obj.Status, want) {
		return nil
	}
	return field.ErrorList{field.Invalid(at, field.OmitValueType{}, msg)}
}

// ending returns the type of the condition that ended a request; "" if none did.
func ending(obj *certificatesv1.PodCertificateRequest) string {
	for _, c := range obj.Status.Conditions {
		if c.Status == metav1.ConditionTrue && slices.Contains([]string{issued, denied, failed}, c.Type) {
			return c.Type
		}
	}
	return ""
}

func validatePodConditions(conditions []metav1.Condition, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	ends := 0
	for i, c := range conditions {
		one := at.Child(fmt.Sprintf("[%d]", i)) // with a dot before the bracket, as upstream has it
		if types := []string{issued, denied, failed}; !slices.Contains(types, c.Type) {
			errs = append(errs, field.NotSupported(one.Child("type"), c.Type, types))
			continue
		}
		if ends++; ends > 1 {
			errs = append(errs, field.Invalid(one.Child("type"), c.Type, "There may be at most one condition with type \"Issued\", \"Denied\", or \"Failed\""))
		}
		if c.Status != metav1.ConditionTrue {
			errs = append(errs, field.NotSupported(one.Child("status"), c.Status, []metav1.ConditionStatus{metav1.ConditionTrue}))
		}
	}
	return append(errs, metav1validation.ValidateConditions(conditions, at)...)
}

// validateIssued judges the certificates and the times that repeat what is in them.
// It stops at the first flaw, as what follows builds on it.
func validateIssued(obj *certificatesv1.PodCertificateRequest, now time.Time) field.ErrorList {
	at, chain := field.NewPath("status", "certificateChain"), obj.Status.CertificateChain
	if len(chain) > maxChain {
		return field.ErrorList{field.TooLong(at, chain, maxChain)}
	}
	block, rest := pem.Decode([]byte(chain))
	if block == nil {
		return field.ErrorList{field.Invalid(at, chain, "issued certificate chain must contain at least one certificate")}
	}
	if block.Type != "CERTIFICATE" {
		return field.ErrorList{field.Invalid(at, chain, "issued certificate chain must consist entirely of CERTIFICATE PEM blocks")}
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return field.ErrorList{field.Invalid(at, chain, "leaf certificate does not parse as valid X.509")}
	}
	errs := validateLeafNames(leaf, at)
	if !sameKey(obj.Spec.StubPKCS10Request, leaf) {
		return append(errs, field.Invalid(at, chain, "leaf certificate was not issued to the requested public key"))
	}
	if errs = append(errs, validateTimes(obj, leaf, now, at)...); len(errs) > 0 {
		return errs
	}
	for block, rest = pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return field.ErrorList{field.Invalid(at, chain, "issued certificate chain must consist entirely of CERTFICATE PEM blocks")}
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return field.ErrorList{field.Invalid(at, chain, "intermediate certificate does not parse as valid X.509")}
		}
	}
	return nil
}

func sameKey(stub []byte, leaf *x509.Certificate) bool {
	request, err := x509.ParseCertificateRequest(stub)
	if err != nil {
		return false
	}
	key, ok := request.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(leaf.PublicKey)
}

func validateLeafNames(leaf *x509.Certificate, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range leaf.DNSNames {
		if name == "" {
			errs = append(errs, field.Invalid(at, name, "leaf certificate should not contain empty DNSName"))
		}
		if strings.Contains(name, "..") {
			errs = append(errs, field.Invalid(at, name, "leaf certificate's DNSName should not contain '..'"))
		}
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") {
			errs = append(errs, field.Invalid(at, name, "leaf certificate's DNSName should not start or end with '.'"))
		}
	}
	for _, address := range leaf.EmailAddresses {
		if _, err := mail.ParseAddress(address); err != nil {
			errs = append(errs, field.Invalid(at, address, "leaf certificate should not contain invalid EmailAddress"))
		}
	}
	return errs
}

func validateTimes(obj *certificatesv1.PodCertificateRequest, leaf *x509.Certificate, now time.Time, chain *field.Path) field.ErrorList {
	s, at := &obj.Status, field.NewPath("status")
	var missing field.ErrorList
	for _, t := range []struct {
		name  string
		value *metav1.Time
		msg   string
	}{
		{"notBefore", s.NotBefore, "consistent with the issued certificate"},
		{"notAfter", s.NotAfter, "consistent with the issued certificate"},
		{"beginRefreshAt", s.BeginRefreshAt, "in the range [notbefore+10min, notafter-10min]"},
	} {
		if t.value == nil {
			missing = append(missing, field.Required(at.Child(t.name), "must be present and "+t.msg))
		}
	}
	if len(missing) > 0 {
		return missing
	}
	notBefore, notAfter, refresh := at.Child("notBefore"), at.Child("notAfter"), at.Child("beginRefreshAt")
	lifetime, skew := leaf.NotAfter.Sub(leaf.NotBefore), s.NotBefore.Sub(now).Abs()
	var err *field.Error
	switch longest := *obj.Spec.MaxExpirationSeconds; {
	case !s.NotBefore.Time.Equal(leaf.NotBefore):
		err = field.Invalid(notBefore, s.NotBefore.Time, "must be set to the NotBefore time encoded in the leaf certificate")
	case skew >= maxSkew:
		err = field.Invalid(notBefore, s.NotBefore.Time, "must be set to within 5 minutes of kube-apiserver's current time")
	case !s.NotAfter.Time.Equal(leaf.NotAfter):
		err = field.Invalid(notAfter, s.NotAfter.Time, "must be set to the NotAfter time encoded in the leaf certificate")
	case lifetime < minLifetime:
		err = field.Invalid(chain, lifetime, "leaf certificate lifetime must be >= 1 hour")
	case lifetime > time.Duration(longest)*time.Second:
		err = field.Invalid(chain, lifetime, fmt.Sprintf("leaf certificate lifetime must be <= spec.maxExpirationSeconds (%v)", longest))
	case s.BeginRefreshAt.Time.Before(s.NotBefore.Add(minRefresh)):
		err = field.Invalid(refresh, s.BeginRefreshAt.Time, "must be at least 10 minutes after status.notBefore")
	case s.BeginRefreshAt.After(s.NotAfter.Add(-minRefresh)):
		err = field.Invalid(refresh, s.BeginRefreshAt.Time, "must be at least 10 minutes before status.notAfter")
	default:
		return nil
	}
	return field.ErrorList{err}
}
