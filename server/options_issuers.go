// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	cliflag "k8s.io/component-base/cli/flag"

	"github.com/stoa-project/stoa/authn/oidc"
)

const (
	flagAuthenticationConfig = "authentication-config"
	flagAnonymous            = "anonymous-auth"
	oidcFlags                = "oidc-"
	// noPrefix is the prefix of user names that is none.
	noPrefix = "-"
)

// OIDCOptions are an issuer of OpenID Connect tokens.
type OIDCOptions struct {
	// IssuerURL is its name, and where it says how its tokens are verified. Empty: there
	// is none.
	IssuerURL string
	// ClientID is whom its tokens must be for.
	ClientID string
	// CAFile holds the authorities of the issuer. It is read once. Empty: those of the
	// machine.
	CAFile string
	// UsernameClaim is the claim with the name of the user, to which UsernamePrefix is
	// put. An empty prefix is the URL of the issuer and "#" unless the claim is email, and
	// "-" is none.
	UsernameClaim, UsernamePrefix string
	// GroupsClaim is the claim with groups, to each of which GroupsPrefix is put. Empty:
	// users have none.
	GroupsClaim, GroupsPrefix string
	// SigningAlgorithms are those that tokens may be signed with.
	SigningAlgorithms []string
	// RequiredClaims must be in a token, with these values.
	RequiredClaims map[string]string
}

func newOIDCOptions() *OIDCOptions {
	return &OIDCOptions{UsernameClaim: "sub", SigningAlgorithms: []string{"RS256"}}
}

// AddFlags adds the flags of kube-apiserver.
func (o *OIDCOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.IssuerURL, oidcFlags+"issuer-url", o.IssuerURL, "The URL of the OpenID issuer, only HTTPS scheme will be accepted. If set, it will be used to verify the OIDC JSON Web Token (JWT).")
	fs.StringVar(&o.ClientID, oidcFlags+"client-id", o.ClientID, "The client ID for the OpenID Connect client, must be set if oidc-issuer-url is set.")
	fs.StringVar(&o.CAFile, oidcFlags+"ca-file", o.CAFile, "If set, the OpenID server's certificate will be verified by one of the authorities in the oidc-ca-file, otherwise the host's root CA set will be used.")
	fs.StringVar(&o.UsernameClaim, oidcFlags+"username-claim", o.UsernameClaim, "The OpenID claim to use as the user name. Note that claims other than the default ('sub') is not guaranteed to be unique and immutable.")
	fs.StringVar(&o.UsernamePrefix, oidcFlags+"username-prefix", o.UsernamePrefix, "If provided, all usernames will be prefixed with this value. If not provided, username claims other than 'email' are prefixed by the issuer URL to avoid clashes. To skip any prefixing, provide the value '-'.")
	fs.StringVar(&o.GroupsClaim, oidcFlags+"groups-claim", o.GroupsClaim, "If provided, the name of a custom OpenID Connect claim for specifying user groups. The claim value is expected to be a string or array of strings.")
	fs.StringVar(&o.GroupsPrefix, oidcFlags+"groups-prefix", o.GroupsPrefix, "If provided, all groups will be prefixed with this value to prevent conflicts with other authentication strategies.")
	fs.StringSliceVar(&o.SigningAlgorithms, oidcFlags+"signing-algs", o.SigningAlgorithms, "Comma-separated list of allowed JOSE asymmetric signing algorithms. JWTs with a supported 'alg' header values are: RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512. Values are defined by RFC 7518 https://tools.ietf.org/html/rfc7518#section-3.1.")
	fs.Var(cliflag.NewMapStringStringNoSplit(&o.RequiredClaims), oidcFlags+"required-claim", "A key=value pair that describes a required claim in the ID Token. If set, the claim is verified to be present in the ID Token with a matching value. Repeat this flag to specify multiple claims.")
}

// set reports whether anything is asked for.
func (o *OIDCOptions) set() bool {
	d := newOIDCOptions()
	return o.IssuerURL != "" || o.ClientID != "" || o.CAFile != "" || o.UsernamePrefix != "" || o.GroupsClaim != "" || o.GroupsPrefix != "" ||
		o.UsernameClaim != d.UsernameClaim || !slices.Equal(o.SigningAlgorithms, d.SigningAlgorithms) || len(o.RequiredClaims) > 0
}

// configuration says the same in a file.
func (o *OIDCOptions) configuration() (*apiserver.AuthenticationConfiguration, error) {
	prefix := o.UsernamePrefix
	switch {
	case prefix == noPrefix:
		prefix = ""
	case prefix == "" && o.UsernameClaim != "email":
		prefix = o.IssuerURL + "#"
	}
	jwt := apiserver.JWTAuthenticator{
		Issuer:        apiserver.Issuer{URL: o.IssuerURL, Audiences: []string{o.ClientID}},
		ClaimMappings: apiserver.ClaimMappings{Username: apiserver.PrefixedClaimOrExpression{Prefix: &prefix, Claim: o.UsernameClaim}},
	}
	if o.GroupsClaim != "" {
		jwt.ClaimMappings.Groups = apiserver.PrefixedClaimOrExpression{Prefix: &o.GroupsPrefix, Claim: o.GroupsClaim}
	}
	for _, claim := range slices.Sorted(maps.Keys(o.RequiredClaims)) {
		jwt.ClaimValidationRules = append(jwt.ClaimValidationRules, apiserver.ClaimValidationRule{Claim: claim, RequiredValue: o.RequiredClaims[claim]})
	}
	if o.CAFile != "" {
		data, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--oidc-ca-file: %w", err)
		}
		jwt.Issuer.CertificateAuthority = string(data)
	}
	return &apiserver.AuthenticationConfiguration{JWT: []apiserver.JWTAuthenticator{jwt}}, nil
}

// issuerFile reads the configuration that says who issues tokens and who is anonymous.
// It is that of the flags if there is no file.
func (o *AuthenticationOptions) issuerFile() (oidc.File, error) {
	if o.ConfigFile == "" {
		if !o.OIDC.set() {
			return oidc.File{}, nil
		}
		if o.OIDC.IssuerURL == "" || o.OIDC.ClientID == "" {
			return oidc.File{}, errors.New("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set")
		}
		if err := oidc.CheckAlgorithms(o.OIDC.SigningAlgorithms); err != nil {
			return oidc.File{}, fmt.Errorf("--oidc-signing-algs: %w", err)
		}
		c, err := o.OIDC.configuration()
		if err != nil {
			return oidc.File{}, err
		}
		if err := oidc.Validate(c, o.Tokens.Issuers); err != nil {
			return oidc.File{}, fmt.Errorf("--oidc-*: invalid authentication configuration: %w", err)
		}
		return oidc.File{Configuration: c}, nil
	}
	if o.OIDC.set() || o.changed(oidcFlags) {
		return oidc.File{}, errors.New("authentication-config file and oidc-* flags are mutually exclusive")
	}
	data, err := os.ReadFile(o.ConfigFile)
	if err != nil {
		return oidc.File{}, fmt.Errorf("--%s: %w", flagAuthenticationConfig, err)
	}
	c, err := oidc.Parse(data, o.Tokens.Issuers)
	if err != nil {
		return oidc.File{}, fmt.Errorf("--%s %s: %w", flagAuthenticationConfig, o.ConfigFile, err)
	}
	if c.Anonymous != nil && o.changed(flagAnonymous) {
		return oidc.File{}, fmt.Errorf("--%s %s: anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file",
			flagAuthenticationConfig, o.ConfigFile)
	}
	return oidc.File{Path: o.ConfigFile, Data: data, Configuration: c}, nil
}

// changed reports whether a flag was given whose name begins like this.
func (o *AuthenticationOptions) changed(prefix string) bool {
	found := false
	if o.flags != nil {
		o.flags.VisitAll(func(f *pflag.Flag) { found = found || f.Changed && strings.HasPrefix(f.Name, prefix) })
	}
	return found
}
