// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/apis/certificates/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// none is what kubectl prints for what is not set.
const none = "<none>"

// CertificateSigningRequests returns the kind CertificateSigningRequest. What was
// asked never changes; /approval decides about it, and /status brings the certificate.
func CertificateSigningRequests() kind.Kind {
	type csr = certificates.CertificateSigningRequest
	v1 := func(obj *csr) *certificatesv1.CertificateSigningRequest {
		return (*certificatesv1.CertificateSigningRequest)(obj)
	}
	return kind.New(kind.Definition[csr]{
		Kind: "CertificateSigningRequest", Plural: "certificatesigningrequests", ShortNames: []string{"csr"},
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(c *csr) *certificatesv1.CertificateSigningRequestSpec { return &c.Spec }),
		Status:              kind.PartOf(func(c *csr) *certificatesv1.CertificateSigningRequestStatus { return &c.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next two
		NoGeneration:        true,
		UnconditionalUpdate: true,
		Subresources: []kind.Subresource[csr]{{
			Name: "approval", Path: []string{"status", "conditions"}, Metadata: true,
			Part: kind.PartOf(func(c *csr) *[]certificatesv1.CertificateSigningRequestCondition { return &c.Status.Conditions }),
			Prepare: func(_ context.Context, obj, old *csr) {
				stamp(obj.Status.Conditions, old.Status.Conditions)
			},
			Validate: func(_ context.Context, obj, old *csr) field.ErrorList {
				return validation.ValidateCertificateSigningRequestApproval(v1(obj), v1(old))
			},
		}},
		Strategy: kind.Strategy[csr]{
			ValidateName: validation.ValidateRequestName,
			Prepare:      prepareRequest,
			Validate: func(_ context.Context, obj *csr) field.ErrorList {
				return validation.ValidateCertificateSigningRequest(v1(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *csr) field.ErrorList {
				return validation.ValidateCertificateSigningRequestUpdate(v1(obj), v1(old))
			},
			PrepareStatus: func(_ context.Context, obj, old *csr) {
				keepDecision(obj.Status.Conditions, old.Status.Conditions, certificatesv1.CertificateApproved)
				keepDecision(obj.Status.Conditions, old.Status.Conditions, certificatesv1.CertificateDenied)
				stamp(obj.Status.Conditions, old.Status.Conditions)
			},
			ValidateStatus: func(_ context.Context, obj, old *csr) field.ErrorList {
				return validation.ValidateCertificateSigningRequestStatus(v1(obj), v1(old))
			},
		},
		Tune:    func(store *genericregistry.Store) { store.ResetFieldsStrategy = resetFields{} },
		Columns: requestColumns(),
		Fields: []kind.Field[csr]{
			{Path: "spec.signerName", Value: func(c *csr) string { return c.Spec.SignerName }},
		},
	})
}

// resetFields are those that the main endpoint ignores or fills itself, so that nobody
// owns them: all but metadata.
type resetFields struct{}

func (resetFields) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return map[fieldpath.APIVersion]*fieldpath.Set{
		fieldpath.APIVersion(certificatesv1.SchemeGroupVersion.String()): fieldpath.NewSet(
			fieldpath.MakePathOrDie("spec"), fieldpath.MakePathOrDie("status")),
	}
}

// prepareRequest notes who asks, and keeps what was asked.
func prepareRequest(ctx context.Context, obj, old *certificates.CertificateSigningRequest) {
	if old != nil {
		obj.Spec = old.Spec
		return
	}
	s := &obj.Spec
	s.Username, s.UID, s.Groups, s.Extra = "", "", nil, nil
	info, ok := genericapirequest.UserFrom(ctx)
	if !ok {
		return
	}
	s.Username, s.UID, s.Groups = info.GetName(), info.GetUID(), info.GetGroups()
	for k, v := range info.GetExtra() {
		if s.Extra == nil {
			s.Extra = map[string]certificatesv1.ExtraValue{}
		}
		s.Extra[k] = v
	}
}

// keepDecision takes the conditions of one type from old, unless some were added or
// removed, which validation refuses.
func keepDecision(conditions, old []certificatesv1.CertificateSigningRequestCondition, t certificatesv1.RequestConditionType) {
	var is, was []int
	for i := range conditions {
		if conditions[i].Type == t {
			is = append(is, i)
		}
	}
	for i := range old {
		if old[i].Type == t {
			was = append(was, i)
		}
	}
	if len(is) != len(was) {
		return
	}
	for n := range is {
		conditions[is[n]] = old[was[n]]
	}
}

// stamp fills the times that are missing.
func stamp(conditions, old []certificatesv1.CertificateSigningRequestCondition) {
	now := metav1.Now()
	for i := range conditions {
		c := &conditions[i]
		if c.LastUpdateTime.IsZero() {
			c.LastUpdateTime = now
		}
		if !c.LastTransitionTime.IsZero() {
			continue
		}
		c.LastTransitionTime = now
		for _, was := range old {
			if was.Type == c.Type && was.Status == c.Status && !was.LastTransitionTime.IsZero() {
				c.LastTransitionTime = was.LastTransitionTime
				break
			}
		}
	}
}

func requestColumns() []kind.Column[certificates.CertificateSigningRequest] {
	type csr = certificates.CertificateSigningRequest
	doc := certificatesv1.CertificateSigningRequestSpec{}.SwaggerDoc()
	return []kind.Column[csr]{
		kind.Name[csr](),
		kind.Age[csr](),
		{Name: "SignerName", Description: doc["signerName"], Value: func(c *csr) any {
			if c.Spec.SignerName == "" {
				return none
			}
			return c.Spec.SignerName
		}},
		{Name: "Requestor", Description: doc["username"], Value: func(c *csr) any { return c.Spec.Username }},
		{Name: "RequestedDuration", Description: doc["expirationSeconds"], Value: func(c *csr) any {
			if c.Spec.ExpirationSeconds == nil {
				return none
			}
			return duration.HumanDuration(time.Duration(*c.Spec.ExpirationSeconds) * time.Second)
		}},
		{Name: "Condition", Description: certificatesv1.CertificateSigningRequestStatus{}.SwaggerDoc()["conditions"], Value: condition},
	}
}

// condition sums up how far a request has come.
func condition(c *certificates.CertificateSigningRequest) any {
	has := map[certificatesv1.RequestConditionType]bool{}
	for _, condition := range c.Status.Conditions {
		has[condition.Type] = true
	}
	text := "Pending"
	switch {
	case has[certificatesv1.CertificateDenied]:
		text = "Denied"
	case has[certificatesv1.CertificateApproved]:
		text = "Approved"
	}
	if has[certificatesv1.CertificateFailed] {
		text += ",Failed"
	}
	if len(c.Status.Certificate) > 0 {
		text += ",Issued"
	}
	return text
}
