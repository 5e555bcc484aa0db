// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/pki"
)

const (
	// defaultIssuer is what tokens name as their issuer, and whom they are for.
	defaultIssuer = "https://kubernetes.default.svc"
	// tokenKeyName is the name of the key that signs tokens in the pki folder.
	tokenKeyName = "sa"
	// A token of an hour and a few seconds is the one that admission gives to every pod.
	// It holds for a year, and its use after the hour is reported.
	extendedTokenLifetime = 365 * 24 * time.Hour
	minTokenLifetime      = time.Hour
	maxTokenLifetime      = (1 << 32) * time.Second
)

// TokenOptions say which tokens of service accounts are issued and believed.
type TokenOptions struct {
	// Issuers are names of this server: the first is in the tokens that it issues, all
	// are accepted.
	Issuers []string
	// KeyFiles hold keys whose tokens are accepted, beside the one that signs.
	KeyFiles []string
	// SigningKeyFile holds the private key that signs. Empty: one is made in the data
	// folder, or in memory if there is none.
	SigningKeyFile string
	// Audiences are those of this server. Empty: its issuers.
	Audiences []string
	// Lookup asks for the secret that a token is in whenever it is used. Tokens that are
	// in no secret are always looked up.
	Lookup bool
	// MaxExpiration shortens what is asked for longer. Zero: nothing is shortened.
	MaxExpiration time.Duration
	// ExtendExpiration lets the tokens that admission gives to pods hold for a year.
	ExtendExpiration bool
	// KeysURL is where others find the keys. Empty: at this server.
	KeysURL string
}

func newTokenOptions() *TokenOptions {
	return &TokenOptions{Issuers: []string{defaultIssuer}, Lookup: true, ExtendExpiration: true}
}

// AddFlags adds the flags of kube-apiserver.
func (o *TokenOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringArrayVar(&o.Issuers, "service-account-issuer", o.Issuers, "Identifier of the service account token issuer. The issuer will assert this identifier in \"iss\" claim of issued tokens. This value is a string or URI. If it is not a valid URI per the OpenID Discovery 1.0 spec, the documents of OpenID discovery are not served. When this flag is specified multiple times, the first is used to generate tokens and all are used to determine which issuers are accepted.")
	fs.StringArrayVar(&o.KeyFiles, "service-account-key-file", o.KeyFiles, "File containing PEM-encoded x509 RSA or ECDSA private or public keys, used to verify ServiceAccount tokens. The specified file can contain multiple keys, and the flag can be specified multiple times with different files. The key that signs is always one of them.")
	fs.StringVar(&o.SigningKeyFile, "service-account-signing-key-file", o.SigningKeyFile, "Path to the file that contains the current private key of the service account token issuer. The issuer will sign issued ID tokens with this private key.")
	fs.StringSliceVar(&o.Audiences, "api-audiences", o.Audiences, "Identifiers of the API. The service account token authenticator will validate that tokens used against the API are bound to at least one of these audiences. If the --service-account-issuer flag is configured and this flag is not, this field defaults to a single element list containing the issuer URL.")
	fs.BoolVar(&o.Lookup, "service-account-lookup", o.Lookup, "If true, validate ServiceAccount tokens exist in etcd as part of authentication.")
	fs.DurationVar(&o.MaxExpiration, "service-account-max-token-expiration", o.MaxExpiration, "The maximum validity duration of a token created by the service account token issuer. If an otherwise valid TokenRequest with a validity duration larger than this value is requested, a token will be issued with a validity duration of this value.")
	fs.BoolVar(&o.ExtendExpiration, "service-account-extend-token-expiration", o.ExtendExpiration, "Turns on projected service account expiration extension during token generation, which helps safe transition from legacy token to bound service account token feature. If this flag is enabled, admission injected tokens would be extended up to 1 year to prevent unexpected failure during transition, ignoring value of service-account-max-token-expiration.")
	fs.StringVar(&o.KeysURL, "service-account-jwks-uri", o.KeysURL, "Overrides the URI for the JSON Web Key Set in the discovery doc served at /.well-known/openid-configuration. This flag is useful if the discovery doc and key set are served to relying parties from a URL other than the API server's external (as auto-detected or overridden with external-hostname).")
}

// Validate reports everything that is wrong with the options and the files that they
// name.
func (o *TokenOptions) Validate() []error {
	errs := o.validateIssuers()
	if _, err := o.publicKeys(); err != nil {
		errs = append(errs, err)
	}
	if o.SigningKeyFile != "" {
		if _, err := o.signingKey(); err != nil {
			errs = append(errs, err)
		}
	}
	if o.KeysURL != "" {
		if u, err := url.Parse(o.KeysURL); err != nil {
			errs = append(errs, fmt.Errorf("service-account-jwks-uri must be a valid URL: %w", err))
		} else if u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("service-account-jwks-uri requires https scheme, parsed as: %v", u))
		}
	}
	if o.MaxExpiration != 0 && (o.MaxExpiration < minTokenLifetime || o.MaxExpiration > maxTokenLifetime) {
		errs = append(errs, errors.New("the service-account-max-token-expiration must be between 1 hour and 2^32 seconds"))
	}
	return errs
}

func (o *TokenOptions) validateIssuers() []error {
	var errs []error
	if len(o.Issuers) == 0 {
		errs = append(errs, errors.New("service-account-issuer is a required flag"))
	}
	for i, issuer := range o.Issuers {
		switch {
		case issuer == "":
			errs = append(errs, errors.New("service-account-issuer should not be an empty string"))
		case slices.Contains(o.Issuers[:i], issuer):
			errs = append(errs, fmt.Errorf("service-account-issuer %q is already specified", issuer))
		case strings.Contains(issuer, ":"):
			if _, err := url.Parse(issuer); err != nil {
				errs = append(errs, fmt.Errorf("service-account-issuer %q contained a ':' but was not a valid URL: %w", issuer, err))
			}
		}
	}
	return errs
}

// publicKeys reads the keys of KeyFiles.
func (o *TokenOptions) publicKeys() ([]any, error) {
	var all []any
	for _, file := range o.KeyFiles {
		keys, err := keyutil.PublicKeysFromFile(file)
		if err != nil {
			return nil, fmt.Errorf("failed to parse service-account-key-file: %w", err)
		}
		all = append(all, keys...)
	}
	return all, nil
}

// signingKey reads the key of SigningKeyFile.
func (o *TokenOptions) signingKey() (crypto.Signer, error) {
	key, err := keyutil.PrivateKeyFromFile(o.SigningKeyFile)
	if err != nil {
		return nil, fmt.Errorf("failed to parse service-account-signing-key-file: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("failed to parse service-account-signing-key-file: the key cannot sign")
	}
	return signer, nil
}

// ensureSigningKey returns the key that signs, and makes it in a folder if none was
// given.
func (o *TokenOptions) ensureSigningKey(ctx context.Context, dir string) (crypto.Signer, error) {
	if o.SigningKeyFile != "" {
		return o.signingKey()
	}
	return pki.Store{Dir: dir}.EnsureKey(ctx, tokenKeyName)
}

// audiences are those for whom a token is that names none.
func (o *TokenOptions) audiences() []string {
	if len(o.Audiences) > 0 {
		return o.Audiences
	}
	return o.Issuers
}

// warn tells what the options do that nobody may expect.
func (o *TokenOptions) warn(ctx context.Context) {
	if o.ExtendExpiration && o.MaxExpiration != 0 && o.MaxExpiration < extendedTokenLifetime {
		klog.FromContext(ctx).Info("Tokens that admission gives to pods hold longer than --service-account-max-token-expiration because of --service-account-extend-token-expiration",
			"max", o.MaxExpiration, "extended", extendedTokenLifetime)
	}
}
