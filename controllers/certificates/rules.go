// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// legacySigner signs whatever was approved. Only requests of old versions have it.
const legacySigner = "kubernetes.io/legacy-unknown"

type usages = []certificatesv1.KeyUsage

// rule says why a signer does not sign a request; nil if it does. Texts are those of
// kube-controller-manager, which users see in conditions.
type rule func(*x509.CertificateRequest, usages) error

// ruleOf returns the rule of a signer; nil if it is not one of those here.
func ruleOf(signer string) rule {
	switch signer {
	case certificatesv1.KubeAPIServerClientSignerName:
		return validateClient
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		return validateKubeletClient
	case certificatesv1.KubeletServingSignerName:
		return validateKubeletServing
	case legacySigner:
		return func(*x509.CertificateRequest, usages) error { return nil }
	}
	return nil
}

// validateClient is the rule of clients of the server.
func validateClient(_ *x509.CertificateRequest, asked usages) error {
	for _, u := range asked {
		switch u {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, certificatesv1.UsageClientAuth:
		default:
			return fmt.Errorf("invalid usage for client certificate: %s", u)
		}
	}
	if !slices.Contains(asked, certificatesv1.UsageClientAuth) {
		return fmt.Errorf("missing required usage for client certificate: %s", certificatesv1.UsageClientAuth)
	}
	return nil
}

// validateKubeletClient is the rule of kubelets as clients.
func validateKubeletClient(request *x509.CertificateRequest, asked usages) error {
	switch {
	case !isNodes(request):
		return errNotNodes
	case len(request.DNSNames) > 0:
		return errors.New("DNS subjectAltNames are not allowed")
	case len(request.EmailAddresses) > 0:
		return errEmail
	case len(request.IPAddresses) > 0:
		return errors.New("IP subjectAltNames are not allowed")
	case len(request.URIs) > 0:
		return errURI
	case !isNode(request):
		return errNotNode
	}
	return validateUsages(asked, certificatesv1.UsageClientAuth)
}

// validateKubeletServing is the rule of kubelets as servers.
func validateKubeletServing(request *x509.CertificateRequest, asked usages) error {
	switch {
	case !isNodes(request):
		return errNotNodes
	case len(request.DNSNames) == 0 && len(request.IPAddresses) == 0:
		return errors.New("DNS or IP subjectAltName is required")
	case len(request.EmailAddresses) > 0:
		return errEmail
	case len(request.URIs) > 0:
		return errURI
	}
	if err := validateUsages(asked, certificatesv1.UsageServerAuth); err != nil {
		return err
	}
	if !isNode(request) {
		return errNotNode
	}
	return nil
}

// What both kinds of certificates of kubelets may be refused for.
//
//nolint:staticcheck,revive // as kube-controller-manager says it
var (
	errNotNodes = errors.New("subject organization is not system:nodes")
	errNotNode  = errors.New("subject common name does not begin with system:node:")
	errEmail    = errors.New("Email subjectAltNames are not allowed")
	errURI      = errors.New("URI subjectAltNames are not allowed")
)

func isNodes(request *x509.CertificateRequest) bool {
	return slices.Equal(request.Subject.Organization, []string{"system:nodes"})
}

func isNode(request *x509.CertificateRequest) bool {
	return strings.HasPrefix(request.Subject.CommonName, "system:node:")
}

// validateUsages wants exactly the usages of a kubelet; keys that are not RSA need no
// encipherment.
func validateUsages(asked usages, auth certificatesv1.KeyUsage) error {
	got := slices.Compact(slices.Sorted(slices.Values(asked)))
	want := slices.Sorted(slices.Values(usages{certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, auth}))
	short := slices.Sorted(slices.Values(usages{certificatesv1.UsageDigitalSignature, auth}))
	if !slices.Equal(got, want) && !slices.Equal(got, short) {
		return fmt.Errorf("usages did not match %v", want)
	}
	return nil
}

// keyUsages translates usages of the API. The second are extended ones.
func keyUsages(asked usages) (x509.KeyUsage, []x509.ExtKeyUsage, error) {
	var plain x509.KeyUsage
	extended := map[x509.ExtKeyUsage]bool{}
	var unknown []certificatesv1.KeyUsage
	for _, u := range asked {
		if value, ok := plainUsages()[u]; ok {
			plain |= value
		} else if value, ok := extendedUsages()[u]; ok {
			extended[value] = true
		} else {
			unknown = append(unknown, u)
		}
	}
	if len(unknown) > 0 {
		return 0, nil, fmt.Errorf("unrecognized usage values: %q", unknown)
	}
	var out []x509.ExtKeyUsage
	for value := range extended {
		out = append(out, value)
	}
	slices.Sort(out)
	return plain, out, nil
}

func plainUsages() map[certificatesv1.KeyUsage]x509.KeyUsage {
	return map[certificatesv1.KeyUsage]x509.KeyUsage{
		certificatesv1.UsageSigning:           x509.KeyUsageDigitalSignature,
		certificatesv1.UsageDigitalSignature:  x509.KeyUsageDigitalSignature,
		certificatesv1.UsageContentCommitment: x509.KeyUsageContentCommitment,
		certificatesv1.UsageKeyEncipherment:   x509.KeyUsageKeyEncipherment,
		certificatesv1.UsageKeyAgreement:      x509.KeyUsageKeyAgreement,
		certificatesv1.UsageDataEncipherment:  x509.KeyUsageDataEncipherment,
		certificatesv1.UsageCertSign:          x509.KeyUsageCertSign,
		certificatesv1.UsageCRLSign:           x509.KeyUsageCRLSign,
		certificatesv1.UsageEncipherOnly:      x509.KeyUsageEncipherOnly,
		certificatesv1.UsageDecipherOnly:      x509.KeyUsageDecipherOnly,
	}
}

func extendedUsages() map[certificatesv1.KeyUsage]x509.ExtKeyUsage {
	return map[certificatesv1.KeyUsage]x509.ExtKeyUsage{
		certificatesv1.UsageAny:             x509.ExtKeyUsageAny,
		certificatesv1.UsageServerAuth:      x509.ExtKeyUsageServerAuth,
		certificatesv1.UsageClientAuth:      x509.ExtKeyUsageClientAuth,
		certificatesv1.UsageCodeSigning:     x509.ExtKeyUsageCodeSigning,
		certificatesv1.UsageEmailProtection: x509.ExtKeyUsageEmailProtection,
		certificatesv1.UsageSMIME:           x509.ExtKeyUsageEmailProtection,
		certificatesv1.UsageIPsecEndSystem:  x509.ExtKeyUsageIPSECEndSystem,
		certificatesv1.UsageIPsecTunnel:     x509.ExtKeyUsageIPSECTunnel,
		certificatesv1.UsageIPsecUser:       x509.ExtKeyUsageIPSECUser,
		certificatesv1.UsageTimestamping:    x509.ExtKeyUsageTimeStamping,
		certificatesv1.UsageOCSPSigning:     x509.ExtKeyUsageOCSPSigning,
		certificatesv1.UsageMicrosoftSGC:    x509.ExtKeyUsageMicrosoftServerGatedCrypto,
		certificatesv1.UsageNetscapeSGC:     x509.ExtKeyUsageNetscapeServerGatedCrypto,
	}
}
