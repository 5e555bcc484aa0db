// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package signers is what the admission plugins have in common that ask who may act for
// a signer of certificates.
package signers

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/klog/v2"
)

// Plugin is a plugin but for what it validates.
type Plugin struct {
	*admission.Handler
	name       string
	authorizer authorizer.UnconditionalAuthorizer
}

var (
	_ admission.InitializationValidator                        = (*Plugin)(nil)
	_ genericadmissioninitializer.WantsUnconditionalAuthorizer = (*Plugin)(nil)
)

// New returns the plugin of a name, for these operations.
func New(name string, operations ...admission.Operation) *Plugin {
	return &Plugin{Handler: admission.NewHandler(operations...), name: name}
}

// SetUnconditionalAuthorizer implements WantsUnconditionalAuthorizer.
func (p *Plugin) SetUnconditionalAuthorizer(a authorizer.UnconditionalAuthorizer) { p.authorizer = a }

// ValidateInitialization implements admission.InitializationValidator.
func (p *Plugin) ValidateInitialization() error {
	if p.authorizer == nil {
		return fmt.Errorf("%s requires an authorizer", p.name)
	}
	return nil
}

// Allowed says whether the user of a request may do something for a signer, or for all
// signers of its domain.
func (p *Plugin) Allowed(ctx context.Context, a admission.Attributes, verb, signer string) bool {
	domain, _, _ := strings.Cut(signer, "/")
	for _, name := range []string{signer, domain + "/*"} {
		decision, reason, err := p.authorizer.Authorize(ctx, authorizer.AttributesRecord{
			User: a.GetUserInfo(), Verb: verb, Name: name, APIGroup: "certificates.k8s.io", APIVersion: "*", Resource: "signers", ResourceRequest: true,
		})
		if err != nil {
			klog.FromContext(ctx).V(3).Info("Could not tell who may act for a signer", "verb", verb, "signer", name, "reason", reason, "err", err) //nolint:mnd // as in Kubernetes
		} else if decision == authorizer.DecisionAllow {
			return true
		}
	}
	return false
}
