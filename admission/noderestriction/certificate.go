// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package noderestriction

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/apis/certificates"
)

// admitSigningRequest admits a request for a certificate of a kubelet only for the own
// node.
func admitSigningRequest(r *request) error {
	if r.GetOperation() != admission.Create {
		return nil
	}
	csr, err := as[*certificates.CertificateSigningRequest](r, r.GetObject())
	if err != nil {
		return err
	}
	switch csr.Spec.SignerName {
	case certificatesv1.KubeletServingSignerName, certificatesv1.KubeAPIServerClientKubeletSignerName:
	default:
		return nil
	}
	subject, err := commonName(csr.Spec.Request)
	if err != nil {
		return r.refuse("unable to parse csr: %w", err)
	}
	if want := "system:node:" + r.node; subject != want {
		return r.refuse("can only create a node CSR with CN=%s", want)
	}
	return nil
}

func commonName(data []byte) (string, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return "", errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", err
	}
	return csr.Subject.CommonName, nil
}

// admitPodCertificate admits a request for a certificate of a pod that is on the node,
// and that is for what the pod says.
func (p *plugin) admitPodCertificate(ctx context.Context, r *request) error {
	switch {
	case !p.podCertificates:
		return r.refuse("PodCertificateRequest feature gate is disabled")
	case r.GetOperation() != admission.Create:
		return r.refuse("unexpected operation %v", r.GetOperation())
	case r.GetSubresource() != "":
		return r.refuse("unexpected subresource %v", r.GetSubresource())
	}
	asked, err := as[*certificates.PodCertificateRequest](r, r.GetObject())
	if err != nil {
		return err
	}
	spec := &asked.Spec
	if string(spec.NodeName) != r.node {
		return r.refuse("PodCertificateRequest.Spec.NodeName=%q, which is not the requesting node %q", spec.NodeName, r.node)
	}
	name := r.GetNamespace() + "/" + spec.PodName
	self, err := p.client.CoreV1().Nodes().Get(ctx, r.node, metav1.GetOptions{})
	if err != nil {
		return r.notRetrieved("node", r.node, err)
	}
	// An error that is no refusal invites to try again: the other side may be late.
	if self.UID != spec.NodeUID {
		return fmt.Errorf("PodCertificateRequest for pod %q names node UID %q, inconsistent with the running node (%q)", name, spec.NodeUID, self.UID)
	}
	pod, err := p.client.CoreV1().Pods(r.GetNamespace()).Get(ctx, spec.PodName, metav1.GetOptions{})
	if err != nil {
		return r.notRetrieved("pod", name, err)
	}
	if spec.PodUID != pod.UID {
		return fmt.Errorf("PodCertificateRequest for pod %q contains pod UID (%q) which differs from running pod %q", name, spec.PodUID, pod.UID)
	}
	if pod.Spec.NodeName != r.node {
		return r.refuse("pod %q is not running on node %q named in the PodCertificateRequest", name, spec.NodeName)
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return r.refuse("pod %q is a mirror pod", name)
	}
	if spec.ServiceAccountName != pod.Spec.ServiceAccountName {
		return r.refuse("PodCertificateRequest for pod %q contains serviceAccountName (%q) that differs from running pod (%q)", name, spec.ServiceAccountName, pod.Spec.ServiceAccountName)
	}
	account, err := p.client.CoreV1().ServiceAccounts(r.GetNamespace()).Get(ctx, spec.ServiceAccountName, metav1.GetOptions{})
	if err != nil {
		return r.notRetrieved("service account", r.GetNamespace()+"/"+spec.ServiceAccountName, err)
	}
	if spec.ServiceAccountUID != account.UID {
		return fmt.Errorf("PodCertificateRequest for pod %q names service account UID %q, which differs from the running service account (%q)", name, spec.ServiceAccountUID, account.UID)
	}
	return p.admitSigner(ctx, r, pod, spec)
}

// notRetrieved returns the error of a look-up of what a request names.
func (r *request) notRetrieved(what, name string, err error) error {
	wrapped := fmt.Errorf("while retrieving %s %q named in the PodCertificateRequest: %w", what, name, err)
	if apierrors.IsNotFound(err) {
		return wrapped
	}
	return admission.NewForbidden(r, wrapped)
}

// admitSigner wants a signer that a volume of the pod names, or the right to ask others.
func (p *plugin) admitSigner(ctx context.Context, r *request, pod *corev1.Pod, spec *certificatesv1.PodCertificateRequestSpec) error {
	for _, v := range pod.Spec.Volumes {
		if v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
			return s.PodCertificate != nil && s.PodCertificate.SignerName == spec.SignerName
		}) {
			return nil
		}
	}
	user := r.GetUserInfo()
	decision, _, err := p.authz.Authorize(ctx, authorizer.AttributesRecord{
		User: user, Verb: "request-serviceaccounts-podcertificate-signer", APIGroup: certificates.GroupName, APIVersion: "v1",
		// What follows a slash is a subresource.
		Resource:  strings.ReplaceAll(spec.SignerName, "/", ":"),
		Namespace: r.GetNamespace(), Name: spec.ServiceAccountName, ResourceRequest: true,
	})
	switch {
	case decision == authorizer.DecisionAllow: // a right may hold although others cannot be read
		return nil
	case err != nil:
		return r.refuse("signer %q not found in pod spec volume, error authorizing %s to request pod certificates from this signer: %w", spec.SignerName, user.GetName(), err)
	}
	return r.refuse("signer %q not found in pod spec volume, %s is not authorized to request pod certificates from this signer", spec.SignerName, user.GetName())
}
