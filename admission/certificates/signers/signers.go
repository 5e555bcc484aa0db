// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package signers says who may act for a signer of certificates.
package signers

import (
	"context"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/klog/v2"
)

// Allowed says whether a user may do something for a signer, or for all signers of
// its domain.
func Allowed(ctx context.Context, a authorizer.UnconditionalAuthorizer, who user.Info, verb, signer string) bool {
	domain, _, _ := strings.Cut(signer, "/")
	for _, name := range []string{signer, domain + "/*"} {
		decision, reason, err := a.Authorize(ctx, authorizer.AttributesRecord{
			User: who, Verb: verb, Name: name, APIGroup: "certificates.k8s.io", APIVersion: "*", Resource: "signers", ResourceRequest: true,
		})
		if err != nil {
			klog.FromContext(ctx).V(3).Info("Could not tell who may act for a signer", "verb", verb, "signer", name, "reason", reason, "err", err) //nolint:mnd // as in Kubernetes
		} else if decision == authorizer.DecisionAllow {
			return true
		}
	}
	return false
}
