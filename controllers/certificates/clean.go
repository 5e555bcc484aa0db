// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// interval is how often requests are looked at.
	interval = time.Hour
	// How long a request stays that was decided, and one that was not.
	decidedStays = time.Hour
	pendingStays = 24 * time.Hour
)

// NewCleaner returns the controller that deletes requests an hour after they were
// decided, a day after they came if nobody decided, and when their certificate expires.
func NewCleaner(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		work.Again(ctx, interval, "Could not delete all certificate signing requests that are over", func(ctx context.Context) error {
			return clean(ctx, server)
		})
	}
}

func clean(ctx context.Context, server work.Server) error {
	requests := server.Client.CertificatesV1().CertificateSigningRequests()
	return work.EachListed(ctx, requests.List, metav1.ListOptions{}, func(request *certificatesv1.CertificateSigningRequest) error {
		reason, err := over(request, time.Now())
		if err != nil {
			return fmt.Errorf("certificate signing request %q: %w", request.Name, err)
		}
		if reason == "" {
			return nil
		}
		err = requests.Delete(ctx, request.Name, *metav1.NewRVDeletionPrecondition(request.ResourceVersion))
		if err == nil {
			klog.FromContext(ctx).V(2).Info("Deleted a certificate signing request", "request", request.Name, "reason", reason)
		}
		return work.Settled(err)
	})
}

// over says why a request is deleted; empty if it stays.
func over(request *certificatesv1.CertificateSigningRequest, now time.Time) (reason string, err error) {
	older := func(t metav1.Time, age time.Duration) bool { return !t.IsZero() && now.Sub(t.Time) > age }
	issued := len(request.Status.Certificate) > 0
	if len(request.Status.Conditions) == 0 && older(request.CreationTimestamp, pendingStays) {
		return "nobody decided", nil
	}
	for _, c := range request.Status.Conditions {
		switch {
		case c.Type == certificatesv1.CertificateDenied && older(c.LastUpdateTime, decidedStays):
			return "denied", nil
		case c.Type == certificatesv1.CertificateFailed && older(c.LastUpdateTime, decidedStays):
			return "failed", nil
		case c.Type == certificatesv1.CertificateApproved && issued && older(c.LastUpdateTime, decidedStays):
			return "issued", nil
		case c.Type == certificatesv1.CertificateApproved && !issued && older(c.LastUpdateTime, pendingStays):
			return "approved, and nobody signs", nil
		}
	}
	if !issued || !is(request, certificatesv1.CertificateApproved) {
		return "", nil
	}
	block, _ := pem.Decode(request.Status.Certificate)
	if block == nil {
		return "", errors.New("expected the certificate associated with the CSR to be PEM encoded")
	}
	certs, err := x509.ParseCertificates(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("unable to parse certificate data: %w", err)
	}
	if now.After(certs[0].NotAfter) {
		return "the certificate expired", nil
	}
	return "", nil
}
