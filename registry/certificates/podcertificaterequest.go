// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/apis/certificates/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// PodCertificateRequests returns the kind PodCertificateRequest.
func PodCertificateRequests() kind.Kind {
	type pcr = certificates.PodCertificateRequest
	v1 := func(obj *pcr) *certificatesv1.PodCertificateRequest {
		return (*certificatesv1.PodCertificateRequest)(obj)
	}
	doc := certificatesv1.PodCertificateRequestSpec{}.SwaggerDoc()
	return kind.New(kind.Definition[pcr]{
		Kind: "PodCertificateRequest", Plural: "podcertificaterequests",
		Spec:         kind.PartOf(func(p *pcr) *certificatesv1.PodCertificateRequestSpec { return &p.Spec }),
		Status:       kind.PartOf(func(p *pcr) *certificatesv1.PodCertificateRequestStatus { return &p.Status }),
		NoGeneration: true, // nothing in spec ever changes
		Strategy: kind.Strategy[pcr]{
			Validate: func(_ context.Context, obj *pcr) field.ErrorList {
				return validation.ValidatePodCertificateRequest(v1(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *pcr) field.ErrorList {
				return validation.ValidatePodCertificateRequestUpdate(v1(obj), v1(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *pcr) field.ErrorList {
				return validation.ValidatePodCertificateRequestStatus(v1(obj), v1(old), time.Now())
			},
		},
		Columns: []kind.Column[pcr]{
			kind.Name[pcr](),
			{Name: "PodName", Description: doc["podName"], Value: func(p *pcr) any { return p.Spec.PodName }},
			{Name: "ServiceAccountName", Description: doc["serviceAccountName"], Value: func(p *pcr) any { return p.Spec.ServiceAccountName }},
			{Name: "NodeName", Description: doc["nodeName"], Value: func(p *pcr) any { return string(p.Spec.NodeName) }},
			{Name: "SignerName", Description: doc["signerName"], Value: func(p *pcr) any { return p.Spec.SignerName }},
			{Name: "State", Description: certificatesv1.PodCertificateRequestStatus{}.SwaggerDoc()["conditions"], Value: state},
			{Name: "UnverifiedUserAnnotations", Description: doc["unverifiedUserAnnotations"],
				Value: func(p *pcr) any { return labels.FormatLabels(p.Spec.UnverifiedUserAnnotations) }},
		},
		Fields: []kind.Field[pcr]{
			{Path: "spec.signerName", Value: func(p *pcr) string { return p.Spec.SignerName }},
			{Path: "spec.podName", Value: func(p *pcr) string { return p.Spec.PodName }},
			{Path: "spec.nodeName", Value: func(p *pcr) string { return string(p.Spec.NodeName) }},
		},
	})
}

// state names the condition that ended the request.
func state(p *certificates.PodCertificateRequest) any {
	for _, c := range p.Status.Conditions {
		switch c.Type {
		case certificatesv1.PodCertificateRequestConditionTypeIssued, certificatesv1.PodCertificateRequestConditionTypeDenied,
			certificatesv1.PodCertificateRequestConditionTypeFailed:
			if c.Status == metav1.ConditionTrue {
				return c.Type
			}
		}
	}
	return "Pending"
}
