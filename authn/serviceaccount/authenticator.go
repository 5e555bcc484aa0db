// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4/jwt"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/clock"

	"github.com/stoa-project/stoa/authn/unverified"
)

// Config says which tokens are believed.
type Config struct {
	// Issuers are those whose tokens are accepted.
	Issuers []string
	// Keys verify their signatures.
	Keys Keys
	// Audiences are those of the server. A token that is for none of them is refused,
	// unless somebody reviews it for others.
	Audiences authenticator.Audiences
	// Objects reads what a token is bound to.
	Objects Objects
	// Secrets has the last use of tokens in secrets written down. Unset: such tokens
	// are not looked up, and hold until the key is withdrawn.
	Secrets corev1client.SecretsGetter
	// Clock is for tests. Unset: the time of the machine.
	Clock clock.PassiveClock
}

// Objects reads what a token names. The UID is that of the token: a cache that has
// another object, or none, must not be believed. The error is that of a get. The
// objects must not be changed.
type Objects interface {
	ServiceAccount(context.Context, Reference) (*corev1.ServiceAccount, error)
	Pod(context.Context, Reference) (*corev1.Pod, error)
	Secret(context.Context, Reference) (*corev1.Secret, error)
	Node(context.Context, Reference) (*corev1.Node, error)
}

// Reference names an object. The UID is empty where the token has none.
type Reference struct {
	Namespace, Name string
	UID             types.UID
}

// verifier believes tokens of some issuers.
type verifier struct {
	Config
	issuers []string
	// judge says for whom a token is whose signature is right.
	judge  func(ctx context.Context, token string, claims *payload) (*serviceaccount.ServiceAccountInfo, error)
	memory memory
}

// New returns the authenticator of tokens in secrets and of bound tokens.
func New(config Config) authenticator.Token {
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	inSecret, isBound := &verifier{Config: config, issuers: []string{legacyIssuer}}, &verifier{Config: config, issuers: config.Issuers}
	inSecret.judge, isBound.judge = inSecret.judgeLegacy, isBound.judgeBound
	return verifiers{inSecret, isBound}
}

// verifiers believe what the first of those believes who knows the issuer.
type verifiers []*verifier

// AuthenticateToken implements authenticator.Token. A token that is not of the issuers
// is left to others.
func (all verifiers) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	claims, ok := unverified.Read(token)
	if !ok {
		return nil, false, nil
	}
	var errs []error
	for _, v := range all {
		if !slices.Contains(v.issuers, claims.Issuer) {
			continue
		}
		response, ok, err := v.authenticate(ctx, token)
		if ok && err == nil {
			return response, true, nil
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return nil, false, utilerrors.NewAggregate(errs)
}

func (v *verifier) authenticate(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	claims, err := v.claimsOf(token)
	if err != nil || claims == nil {
		return nil, false, err
	}
	audiences, err := v.audiencesOf(ctx, claims)
	if err != nil {
		return nil, false, err
	}
	account, err := v.judge(ctx, token, claims)
	if err != nil {
		return nil, false, err
	}
	return &authenticator.Response{User: account.UserInfo(), Audiences: audiences}, true, nil
}

// claimsOf returns what a token says whose signature is right, and nil for what is no
// token, with which others may know what to do.
func (v *verifier) claimsOf(token string) (*payload, error) {
	now, hash, short := v.Clock.Now(), digest{}, len(token) <= maxLength
	if short {
		hash = sha256.Sum256([]byte(token))
		if claims := v.memory.get(hash, now); claims != nil {
			return claims, nil
		}
	}
	parsed, err := jwt.ParseSigned(token, algorithms())
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // see above
	}
	claims, err := v.verify(parsed)
	if err != nil {
		return nil, err
	}
	if short {
		v.memory.put(hash, claims, now)
	}
	return claims, nil
}

// Claims reports whether a token says that it is of one of the issuers, or one in a
// secret. Such a token is for nobody else, whether it is good or not.
func Claims(token string, issuers []string) bool {
	claims, ok := unverified.Read(token)
	return ok && (claims.Issuer == legacyIssuer || slices.Contains(issuers, claims.Issuer))
}

// verify returns what a token says if one of the keys has signed it.
func (v *verifier) verify(token *jwt.JSONWebToken) (*payload, error) {
	keys := v.Keys.candidates(token.Headers[0].KeyID)
	if len(keys) == 0 {
		return nil, errors.New("invalid signature, no keys found")
	}
	var errs []error
	for _, key := range keys {
		claims := &payload{}
		err := token.Claims(key.Key, claims)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !slices.Contains(v.issuers, claims.Issuer): // JSON can be read in more than one way
			return nil, fmt.Errorf("token issuer %q is invalid", claims.Issuer)
		default:
			return claims, nil
		}
	}
	return nil, utilerrors.NewAggregate(errs)
}

// audiencesOf are those of a token that somebody asks for.
func (v *verifier) audiencesOf(ctx context.Context, claims *payload) (authenticator.Audiences, error) {
	of := authenticator.Audiences(claims.Audience)
	if len(of) == 0 {
		audit.AddAuditAnnotation(ctx, "authentication.k8s.io/legacy-token", claims.Subject)
		of = v.Audiences
	}
	wanted, ok := authenticator.AudiencesFrom(ctx)
	if !ok {
		wanted = v.Audiences
	}
	both := of.Intersect(wanted)
	if len(both) == 0 && len(v.Audiences) > 0 {
		return nil, fmt.Errorf("token audiences %q is invalid for the target audiences %q", of, wanted)
	}
	return both, nil
}
