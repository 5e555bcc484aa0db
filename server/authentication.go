// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/tokenfile"
)

// tokenFile knows users by bearer tokens that a file lists. It is none if there is no
// file.
func (c CompletedOptions) tokenFile(ctx context.Context, config *genericapiserver.Config) ([]authenticator.Token, error) {
	file := c.Authentication.TokenFile
	if file == "" {
		return nil, nil
	}
	listed, warnings, err := tokenfile.New(file)
	if err != nil {
		return nil, fmt.Errorf("--token-auth-file: %w", err)
	}
	for _, warning := range warnings {
		klog.FromContext(ctx).Info("The file of --token-auth-file is used in spite of a problem", "file", file, "problem", warning)
	}
	return []authenticator.Token{authenticator.WrapAudienceAgnosticToken(config.Authentication.APIAudiences, listed)}, nil
}
