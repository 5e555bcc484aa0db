// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"crypto/x509"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/controllers/work"
)

// NewApproving returns the controller that approves client certificates of kubelets for
// those who may create certificatesigningrequests/nodeclient, and selfnodeclient for
// their own.
func NewApproving(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		a := approver{client: server.Client}
		watch(ctx, server, work.NewQueue(ApprovingName, a.sync), undecided)
	}
}

type approver struct{ client kubernetes.Interface }

// undecided says whether a request of a kubelet waits for somebody to approve it.
func undecided(request *certificatesv1.CertificateSigningRequest) bool {
	return request.Spec.SignerName == certificatesv1.KubeAPIServerClientKubeletSignerName && len(request.Status.Certificate) == 0 &&
		!is(request, certificatesv1.CertificateApproved) && !is(request, certificatesv1.CertificateDenied)
}

// sync approves a request if its author has the right. Who has not may get it.
func (a approver) sync(ctx context.Context, name string) error {
	requests := a.client.CertificatesV1().CertificateSigningRequests()
	request, err := requests.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || !undecided(request) {
		return err
	}
	asked, err := parse(request.Spec.Request)
	if err != nil {
		return fmt.Errorf("unable to parse csr %q: %w", name, err)
	}
	if validateKubeletClient(asked, request.Spec.Usages) != nil {
		return nil
	}
	message, err := a.allows(ctx, request, asked)
	if err != nil {
		return err
	}
	if message == "" {
		return work.AgainError{}
	}
	request.Status.Conditions = append(request.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved", Message: message,
	})
	_, err = requests.UpdateApproval(ctx, name, request, metav1.UpdateOptions{})
	return settled(err)
}

// allows says by which right a request is approved; empty: there is none.
func (a approver) allows(ctx context.Context, request *certificatesv1.CertificateSigningRequest, asked *x509.CertificateRequest) (message string, err error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range request.Spec.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	for _, right := range []struct {
		subresource, message string
		applies              bool
	}{
		{"selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.", request.Spec.Username == asked.Subject.CommonName},
		{"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.", true},
	} {
		if !right.applies {
			continue
		}
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: request.Spec.Username, UID: request.Spec.UID, Groups: request.Spec.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: certificatesv1.GroupName, Resource: "certificatesigningrequests", Subresource: right.subresource, Verb: "create",
			},
		}}
		if review, err = a.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{}); err != nil {
			return "", err
		}
		if review.Status.Allowed {
			return right.message, nil
		}
	}
	return "", nil
}

// settled says what the error of a write means: what has changed is looked at again, and
// what is gone needs nothing.
func settled(err error) error {
	switch {
	case apierrors.IsConflict(err):
		return work.AgainError{}
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}
