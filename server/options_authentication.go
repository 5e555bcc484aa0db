// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/util/cert"

	"github.com/stoa-project/stoa/authn/password"
	"github.com/stoa-project/stoa/authn/tokenfile"
)

// AuthenticationOptions say whose word the server takes for who a client is.
type AuthenticationOptions struct {
	// ClientCAFile holds CAs whose client certificates are accepted beside those of
	// the server's own CA. Empty: only the server's own.
	ClientCAFile string
	// Anonymous lets requests without any credentials be those of system:anonymous.
	// Unset: they are refused. ConfigFile may say otherwise.
	Anonymous bool
	// ConfigFile is an AuthenticationConfiguration, with issuers of tokens and paths that
	// are open to anybody. It is read again when it changes. Empty: OIDC and Anonymous hold.
	ConfigFile string
	// OIDC is the issuer whose tokens are believed beside the server's own.
	OIDC *OIDCOptions
	// Webhook is who is asked about tokens that nobody else knows.
	Webhook *TokenWebhookOptions
	// PasswordFile lists users and hashes of their passwords. It is read again when it
	// changes. Empty: there are none.
	PasswordFile string
	// Passwords says which files are accepted.
	Passwords password.Options
	// TokenFile lists bearer tokens with their users. It is read once. Empty: there
	// are none.
	TokenFile string
	// BootstrapTokens believes the tokens that are Secrets in kube-system.
	BootstrapTokens bool
	// RequestHeader says which proxies the server believes.
	RequestHeader *RequestHeaderOptions
	// Tokens says which tokens of service accounts are issued and believed.
	Tokens *TokenOptions

	flags *pflag.FlagSet // nil without flags
}

func newAuthenticationOptions() *AuthenticationOptions {
	return &AuthenticationOptions{
		Anonymous: true, OIDC: newOIDCOptions(), Webhook: newTokenWebhookOptions(),
		RequestHeader: newRequestHeaderOptions(), Tokens: newTokenOptions(),
	}
}

// AddFlags adds the flags of authentication.
func (o *AuthenticationOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.ClientCAFile, "client-ca-file", o.ClientCAFile, "If set, any request presenting a client certificate signed by one of the authorities in the client-ca-file is authenticated with an identity corresponding to the CommonName of the client certificate. The server's own CA is always one of the authorities.")
	fs.BoolVar(&o.Anonymous, flagAnonymous, o.Anonymous, "Enables anonymous requests to the secure port of the API server. Requests that are not rejected by another authentication method are treated as anonymous requests. Anonymous requests have a username of system:anonymous, and a group name of system:unauthenticated.")
	fs.StringVar(&o.PasswordFile, "basic-auth-file", o.PasswordFile, "If set, the file that will be used to admit requests to the secure port of the API server via http basic authentication. Lines of hash,user,uid,\"group1,group2\", with hashes as stoa hash-password makes them. It is read again when it changes.")
	fs.BoolVar(&o.Passwords.AllowPlainText, "basic-auth-allow-plain-text", o.Passwords.AllowPlainText, "Accept passwords in --basic-auth-file that are not hashed. Not recommended: who reads the file, or a backup of it, has them.")
	fs.StringVar(&o.TokenFile, "token-auth-file", o.TokenFile, "If set, the file that will be used to secure the secure port of the API server via token authentication. Lines of token,user,uid,\"group1,group2\".")
	fs.BoolVar(&o.BootstrapTokens, "enable-bootstrap-token-auth", o.BootstrapTokens, "Enable to allow secrets of type 'bootstrap.kubernetes.io/token' in the 'kube-system' namespace to be used for TLS bootstrapping authentication.")
	fs.StringVar(&o.ConfigFile, flagAuthenticationConfig, o.ConfigFile, "File with Authentication Configuration to configure the JWT Token authenticator or the anonymous authenticator. It is read again when it changes. This flag is mutually exclusive with the --oidc-* flags, and with --anonymous-auth if the file configures the Anonymous authenticator.")
	o.OIDC.AddFlags(fs)
	o.Webhook.AddFlags(fs)
	o.RequestHeader.AddFlags(fs)
	o.Tokens.AddFlags(fs)
	o.flags = fs
}

// Validate reports everything that is wrong with the options.
func (o *AuthenticationOptions) Validate() []error {
	errs := append(o.RequestHeader.Validate(), o.Tokens.Validate()...)
	errs = append(errs, o.Webhook.Validate()...)
	if _, err := o.issuerFile(); err != nil {
		errs = append(errs, err)
	}
	if o.ClientCAFile != "" {
		if _, err := cert.CertsFromFile(o.ClientCAFile); err != nil {
			errs = append(errs, fmt.Errorf("--client-ca-file: %w", err))
		}
	}
	if o.PasswordFile != "" {
		if err := password.Check(o.PasswordFile, o.Passwords); err != nil {
			errs = append(errs, fmt.Errorf("--basic-auth-file: %w", err))
		}
	} else if o.Passwords.AllowPlainText {
		errs = append(errs, errors.New("--basic-auth-allow-plain-text needs --basic-auth-file"))
	}
	if o.TokenFile != "" {
		if _, _, err := tokenfile.New(o.TokenFile); err != nil {
			errs = append(errs, fmt.Errorf("--token-auth-file: %w", err))
		}
	}
	return errs
}

// clientCAs returns the CAs that sign client certificates: own, if there is one,
// and those of the file, which is read again when it changes.
func (o *AuthenticationOptions) clientCAs(own []byte) ([]dynamiccertificates.CAContentProvider, error) {
	var all []dynamiccertificates.CAContentProvider
	if own != nil {
		ca, err := dynamiccertificates.NewStaticCAContent("stoa-ca", own)
		if err != nil {
			return nil, err
		}
		all = append(all, ca)
	}
	if o.ClientCAFile == "" {
		return all, nil
	}
	file, err := dynamiccertificates.NewDynamicCAContentFromFile("client-ca-bundle", o.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("--client-ca-file: %w", err)
	}
	return append(all, file), nil
}
