// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package certificates has the controllers for certificates that are asked for at the
// API: one approves requests of kubelets that may have one, one signs what was approved
// for the signers kubernetes.io/*, and two delete requests that are over.
package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/controllers/work"
)

// Names of the controllers.
const (
	ApprovingName = "certificatesigningrequest-approving-controller"
	SigningName   = "certificatesigningrequest-signing-controller"
	CleanerName   = "certificatesigningrequest-cleaner-controller"
	// PodCleanerName is about requests that kubelets make for pods.
	PodCleanerName = "podcertificaterequest-cleaner-controller"
)

// watch has requests looked at that may need something, until ctx ends.
func watch(ctx context.Context, server work.Server, queue *work.Queue, may func(*certificatesv1.CertificateSigningRequest) bool) {
	var following sync.WaitGroup
	following.Go(func() {
		server.Follow(ctx, work.Watch{
			Resource: certificatesv1.SchemeGroupVersion.WithResource("certificatesigningrequests"),
			Seen: func(obj metav1.Object) {
				if request, ok := work.Object(obj).(*certificates.CertificateSigningRequest); ok && may((*certificatesv1.CertificateSigningRequest)(request)) {
					queue.Add(obj.GetName())
				}
			},
		})
	})
	queue.Run(ctx)
	following.Wait()
}

// is says whether a request has a condition, whatever that says of approval and denial,
// which are never taken back.
func is(request *certificatesv1.CertificateSigningRequest, t certificatesv1.RequestConditionType) bool {
	for _, c := range request.Status.Conditions {
		if c.Type == t && (t != certificatesv1.CertificateFailed || c.Status == corev1.ConditionTrue) {
			return true
		}
	}
	return false
}

// parse reads what was asked for.
func parse(request []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}
