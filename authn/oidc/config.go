// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package oidc

import (
	"bytes"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/authentication/cel"
)

// Parse reads an AuthenticationConfiguration of any version. An error names the field.
// disallowed are issuers that it must not have.
func Parse(data []byte, disallowed []string) (*apiserver.AuthenticationConfiguration, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("is empty")
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	decoded, err := runtime.Decode(serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder(), data)
	if err != nil {
		return nil, err
	}
	c, ok := decoded.(*apiserver.AuthenticationConfiguration)
	if !ok {
		return nil, fmt.Errorf("is no AuthenticationConfiguration but %T", decoded)
	}
	return c, Validate(c, disallowed)
}

// Validate reports everything that is wrong with a configuration.
func Validate(c *apiserver.AuthenticationConfiguration, disallowed []string) error {
	errs := validation.ValidateAuthenticationConfiguration(cel.NewDefaultCompiler(), c, disallowed)
	for i, a := range c.JWT {
		if a.Issuer.EgressSelectorType != "" {
			errs = append(errs, field.Forbidden(field.NewPath("jwt").Index(i).Child("issuer", "egressSelectorType"),
				"this server has no egress selectors, and reaches every issuer directly"))
		}
	}
	return errs.ToAggregate()
}
