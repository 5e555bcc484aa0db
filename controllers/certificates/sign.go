// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// backdate is how much earlier than now a certificate begins, for clocks that are slow.
	backdate = 5 * time.Minute
	// short is how long a certificate is at most that does not also end that much earlier.
	short = 8 * time.Hour
	// shortest is what asks for less gets.
	shortest   = 10 * time.Minute
	serialBits = 128
)

// NewSigning returns the controller that signs what was approved for the signers that
// have a rule.
func NewSigning(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		if server.Authority == nil {
			return
		}
		s := signer{server}
		watch(ctx, server, work.NewQueue(SigningName, s.sync), approved)
	}
}

type signer struct{ work.Server }

// approved says whether a request waits for a signer here.
func approved(request *certificatesv1.CertificateSigningRequest) bool {
	return ruleOf(request.Spec.SignerName) != nil && len(request.Status.Certificate) == 0 &&
		is(request, certificatesv1.CertificateApproved) && !is(request, certificatesv1.CertificateDenied) && !is(request, certificatesv1.CertificateFailed)
}

// sync signs a request, or says in a condition why not.
func (s signer) sync(ctx context.Context, name string) error {
	requests := s.Client.CertificatesV1().CertificateSigningRequests()
	request, err := requests.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || !approved(request) {
		return err
	}
	asked, err := parse(request.Spec.Request)
	if err != nil {
		return fmt.Errorf("unable to parse csr %q: %w", name, err)
	}
	if invalid := ruleOf(request.Spec.SignerName)(asked, request.Spec.Usages); invalid != nil {
		request.Status.Conditions = append(request.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateFailed, Status: corev1.ConditionTrue, Reason: "SignerValidationFailure",
			Message: invalid.Error(), LastUpdateTime: metav1.Now(),
		})
	} else if request.Status.Certificate, err = s.sign(asked, &request.Spec, time.Now()); err != nil {
		return fmt.Errorf("error auto signing csr: %w", err)
	}
	if _, err = requests.UpdateStatus(ctx, request, metav1.UpdateOptions{}); err != nil {
		return settled(err)
	}
	klog.FromContext(ctx).V(2).Info("Answered an approved certificate signing request", "request", name, "signer", request.Spec.SignerName,
		"signed", len(request.Status.Certificate) > 0)
	return nil
}

// sign makes a certificate, as PEM.
func (s signer) sign(asked *x509.CertificateRequest, spec *certificatesv1.CertificateSigningRequestSpec, now time.Time) ([]byte, error) {
	authority, key, err := s.Authority()
	if err != nil {
		return nil, err
	}
	if err := asked.CheckSignature(); err != nil {
		return nil, fmt.Errorf("unable to verify certificate request signature: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, fmt.Errorf("unable to generate a serial number for %s: %w", asked.Subject.CommonName, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: asked.Subject,
		DNSNames: asked.DNSNames, IPAddresses: asked.IPAddresses, EmailAddresses: asked.EmailAddresses, URIs: asked.URIs,
		BasicConstraintsValid: true, NotBefore: now.Add(-backdate), NotAfter: now.Add(s.lifetime(spec.ExpirationSeconds)),
	}
	if template.KeyUsage, template.ExtKeyUsage, err = keyUsages(spec.Usages); err != nil {
		return nil, err
	}
	if template.NotAfter.Sub(now) >= short {
		template.NotAfter = template.NotAfter.Add(-backdate)
	}
	if template.NotAfter.After(authority.NotAfter) {
		template.NotAfter = authority.NotAfter
	}
	if !now.Before(authority.NotAfter) {
		return nil, fmt.Errorf("refusing to sign a certificate that expired in the past: NotAfter=%v", authority.NotAfter)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, asked.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("failed to sign certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// lifetime is how long a certificate is valid from now on.
func (s signer) lifetime(seconds *int32) time.Duration {
	if seconds == nil {
		return s.SigningDuration
	}
	return min(max(time.Duration(*seconds)*time.Second, shortest), s.SigningDuration)
}
