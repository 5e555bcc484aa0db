// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package oidc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/cel"
	tokencache "k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	upstream "k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"

	"github.com/stoa-project/stoa/authn/unverified"
)

// rememberFor is how long a token that was good is not verified again, unless it expires
// before. It spares the signature, and a request for each distributed claim.
const rememberFor = 10 * time.Second

// errNameless is for the log; clients see 401.
var errNameless = errors.New("oidc: the token names no user")

// Settings are what a configuration does not say.
type Settings struct {
	// Audiences are those of the server, for which every token is that is believed.
	Audiences authenticator.Audiences
	// Algorithms are those that tokens may be signed with. Empty: all that are known.
	Algorithms []string
	// Disallowed are issuers that a configuration must not have, those of the server.
	Disallowed []string
	// Server is the ID of the server in metrics.
	Server string
}

// Issuers is an authenticator.Token. Before the first Use it knows nobody.
type Issuers struct {
	settings Settings
	current  atomic.Pointer[map[string]*issuer]
	// changing is held by who changes current.
	changing sync.Mutex
}

var _ authenticator.Token = (*Issuers)(nil)

// issuer believes the tokens of one.
type issuer struct {
	config apiserver.JWTAuthenticator
	// verified asks each time, remembered does not.
	verified, remembered authenticator.Token
	healthy              func() error
	stop                 context.CancelFunc
	// before is the same issuer as it was configured before, until this one has keys.
	before atomic.Pointer[issuer]
}

// New returns an authenticator that knows no issuer.
func New(s Settings) *Issuers {
	if len(s.Algorithms) == 0 {
		s.Algorithms = upstream.AllValidSigningAlgorithms()
	}
	i := &Issuers{settings: s}
	i.current.Store(&map[string]*issuer{})
	return i
}

// CheckAlgorithms reports what is wrong with a list of them.
func CheckAlgorithms(names []string) error {
	known := map[string]bool{}
	for _, name := range upstream.AllValidSigningAlgorithms() {
		known[name] = true
	}
	for _, name := range names {
		if !known[name] {
			return fmt.Errorf("unsupported signing alg: %q", name)
		}
	}
	return nil
}

// Use believes the issuers of a configuration from now on, and no others. Their keys
// are fetched until ctx ends, and tokens refused until they are there. It changes nothing
// if the configuration has a mistake.
func (i *Issuers) Use(ctx context.Context, c *apiserver.AuthenticationConfiguration) error {
	i.changing.Lock()
	defer i.changing.Unlock()
	old, next := *i.current.Load(), map[string]*issuer{}
	var made []*issuer
	compiler := cel.NewDefaultCompiler()
	for _, config := range c.JWT {
		same := old[config.Issuer.URL] // may be none
		if same != nil && reflect.DeepEqual(same.config, config) {
			next[config.Issuer.URL] = same
			continue
		}
		fresh, err := i.newIssuer(ctx, compiler, config)
		if err != nil {
			for _, m := range made {
				m.stop()
			}
			return fmt.Errorf("issuer %q: %w", config.Issuer.URL, err)
		}
		next[config.Issuer.URL], made = fresh, append(made, fresh)
	}
	kept := map[string]*issuer{}
	for _, fresh := range made {
		url := fresh.config.Issuer.URL
		kept[url] = old[url].lastReady()
		fresh.before.Store(kept[url])
	}
	i.current.Store(&next)
	for url, gone := range old { // now that nobody asks them
		if next[url] != gone {
			gone.end(kept[url])
		}
	}
	return nil
}

// ready says which of the issuers has no keys yet.
func (i *Issuers) ready() error {
	current := *i.current.Load()
	for _, url := range slices.Sorted(maps.Keys(current)) {
		if err := current[url].healthy(); err != nil {
			return fmt.Errorf("issuer %q: %w", url, err)
		}
	}
	return nil
}

func (i *Issuers) newIssuer(ctx context.Context, compiler cel.Compiler, config apiserver.JWTAuthenticator) (*issuer, error) {
	options := upstream.Options{
		JWTAuthenticator: config, Compiler: compiler, SupportedSigningAlgs: i.settings.Algorithms,
		DisallowedIssuers: i.settings.Disallowed, APIServerID: i.settings.Server,
	}
	if pem := config.Issuer.CertificateAuthority; pem != "" {
		ca, err := dynamiccertificates.NewStaticCAContent("oidc-authenticator", []byte(pem))
		if err != nil {
			return nil, err
		}
		options.CAContentProvider = ca
	}
	ctx, stop := context.WithCancel(ctx)
	verified, err := upstream.New(ctx, options)
	if err != nil {
		stop()
		return nil, err
	}
	// Inside of what is remembered, for it changes the answer.
	inner := authenticator.WrapAudienceAgnosticToken(i.settings.Audiences, verified)
	return &issuer{
		config: config, verified: inner, remembered: tokencache.New(inner, false, rememberFor, 0), healthy: verified.HealthCheck, stop: stop,
	}, nil
}

// AuthenticateToken implements authenticator.Token. A token of an issuer that is not
// known is left to others.
func (i *Issuers) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	claims, ok := unverified.Read(token)
	if !ok {
		return nil, false, nil
	}
	// Google's tokens have it either way.
	if claims.Issuer == "accounts.google.com" {
		claims.Issuer = "https://accounts.google.com"
	}
	one := (*i.current.Load())[claims.Issuer]
	if one == nil {
		return nil, false, nil
	}
	return one.authenticate(ctx, token, claims)
}

func (o *issuer) authenticate(ctx context.Context, token string, claims unverified.Claims) (*authenticator.Response, bool, error) {
	if before := o.before.Load(); before != nil {
		if !o.ready() {
			return before.authenticate(ctx, token, claims)
		}
		if o.before.CompareAndSwap(before, nil) {
			before.end(nil)
		}
	}
	ask := o.remembered
	if !time.Now().Before(claims.Expiry) { // nothing is remembered beyond its time
		ask = o.verified
	}
	response, ok, err := ask.AuthenticateToken(ctx, token)
	if ok && response.User.GetName() == "" {
		return nil, false, errNameless
	}
	return response, ok, err
}

// ready reports whether the keys are there.
func (o *issuer) ready() bool { return o.healthy() == nil }

// lastReady is the last configuration that has keys, nil if there is none.
func (o *issuer) lastReady() *issuer {
	for o != nil && !o.ready() {
		o = o.before.Load()
	}
	return o
}

// end stops the fetching of keys by this configuration and those before it down to last,
// which goes on.
func (o *issuer) end(last *issuer) {
	for o != nil && o != last {
		o.stop()
		o = o.before.Load()
	}
}
