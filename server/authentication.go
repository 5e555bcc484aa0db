// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/bootstraptoken"
	"github.com/stoa-project/stoa/authn/oidc"
	"github.com/stoa-project/stoa/authn/password"
	"github.com/stoa-project/stoa/authn/serviceaccount"
	"github.com/stoa-project/stoa/authn/tokenfile"
	"github.com/stoa-project/stoa/authn/tokenreview"
)

// passwords knows users by HTTP basic authentication. The file is read again when it
// changes, for as long as the server runs. It is none if there is no file.
func (c CompletedOptions) passwords(ctx context.Context, config *genericapiserver.Config) ([]authenticator.Request, error) {
	o := c.Authentication
	if o.PasswordFile == "" {
		return nil, nil
	}
	users, err := password.New(ctx, o.PasswordFile, o.Passwords)
	if err != nil {
		return nil, fmt.Errorf("--basic-auth-file: %w", err)
	}
	err = config.AddPostStartHook("start-basic-auth-file-watch", func(hook genericapiserver.PostStartHookContext) error {
		go users.Run(hook)
		return nil
	})
	method := authenticator.WrapAudienceAgnosticRequest(config.Authentication.APIAudiences, users)
	return []authenticator.Request{group.NewAuthenticatedGroupAdder(method)}, err
}

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

// bootstrapTokens knows users by Secrets in kube-system. Readiness waits until it has
// heard of them. It is none unless it is switched on.
func (c CompletedOptions) bootstrapTokens(config *genericapiserver.Config, client kubernetes.Interface) ([]authenticator.Token, error) {
	if !c.Authentication.BootstrapTokens {
		return nil, nil
	}
	if !serves(c.Groups, config, schema.GroupVersionResource{Version: "v1", Resource: "secrets"}) {
		return nil, errors.New("--enable-bootstrap-token-auth: secrets are not served")
	}
	informer := bootstraptoken.NewInformer(client)
	err := config.AddPostStartHook("start-bootstrap-token-informer", func(hook genericapiserver.PostStartHookContext) error {
		go informer.RunWithContext(hook)
		cache.WaitFor(hook, "", informer.HasSyncedChecker()) // or until the server stops
		return nil
	})
	method := authenticator.WrapAudienceAgnosticToken(config.Authentication.APIAudiences, bootstraptoken.New(informer))
	return []authenticator.Token{method}, err
}

// issuers knows users by tokens of OpenID Connect. It is none unless flags or a file have
// an issuer, or a file may have one later.
func (c CompletedOptions) issuers(config *genericapiserver.Config, file oidc.File) ([]authenticator.Token, error) {
	if file.Configuration == nil {
		return nil, nil
	}
	settings := oidc.Settings{Audiences: config.Authentication.APIAudiences, Disallowed: c.Authentication.Tokens.Issuers, Server: config.APIServerID}
	if file.Path == "" {
		settings.Algorithms = c.Authentication.OIDC.SigningAlgorithms
	}
	known := oidc.New(settings)
	err := config.AddPostStartHook("start-jwt-authenticators", func(hook genericapiserver.PostStartHookContext) error {
		if file.Path == "" {
			return known.Use(hook, file.Configuration)
		}
		return known.Follow(hook, "--"+flagAuthenticationConfig, file)
	})
	return []authenticator.Token{known}, err
}

// tokenWebhook asks somebody else about a token. It is none if there is nobody. It does
// not see tokens of this server.
func (c CompletedOptions) tokenWebhook(ctx context.Context, config *genericapiserver.Config) ([]authenticator.Token, error) {
	o := c.Authentication
	if o.Webhook.ConfigFile == "" {
		return nil, nil
	}
	asked, err := tokenreview.New(ctx, tokenreview.Config{
		Kubeconfig: o.Webhook.ConfigFile, Audiences: config.Authentication.APIAudiences,
		Private: func(token string) bool { return serviceaccount.Claims(token, o.Tokens.Issuers) },
	}, o.Webhook.Options)
	if err != nil {
		return nil, fmt.Errorf("--%sconfig-file: %w", tokenWebhookFlags, err)
	}
	return []authenticator.Token{asked}, nil
}
