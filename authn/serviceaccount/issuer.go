// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"crypto"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/stoa-project/stoa/authn/unverified"
	"github.com/stoa-project/stoa/registry/kind"
)

// Issuer signs tokens.
type Issuer struct {
	name   string
	signer jose.Signer
}

// NewIssuer returns an issuer by the name that its tokens give.
func NewIssuer(name string, key crypto.Signer) (*Issuer, error) {
	described, err := describe(key.Public())
	if err != nil {
		return nil, err
	}
	algorithm := jose.SignatureAlgorithm(described.Algorithm)
	described.Key = key
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: described}, nil)
	if err != nil {
		return nil, fmt.Errorf("signer of tokens: %w", err)
	}
	return &Issuer{name: name, signer: signer}, nil
}

// Issue returns a signed token, and the ID by which logs can call it.
func (i *Issuer) Issue(c kind.TokenClaims) (token, id string, err error) {
	after := func(seconds int64) *jwt.NumericDate {
		return jwt.NewNumericDate(c.IssuedAt.Add(time.Duration(seconds) * time.Second))
	}
	id = uuid.NewString()
	claims := payload{
		Issuer: i.name, Subject: serviceaccount.MakeUsername(c.Namespace, c.Account.Name), Audience: c.Audiences, ID: id,
		IssuedAt: after(0), NotBefore: after(0), Expiry: after(c.Seconds),
		Kubernetes: &bound{
			Namespace: c.Namespace, Account: object(c.Account),
			Node: (*object)(c.Node), Pod: (*object)(c.Pod), Secret: (*object)(c.Secret),
		},
	}
	if c.WarnAfter != 0 {
		claims.Kubernetes.WarnAfter = after(c.WarnAfter)
	}
	if token, err = jwt.Signed(i.signer).Claims(claims).Serialize(); err != nil {
		return "", "", fmt.Errorf("sign token: %w", err)
	}
	if len(token) > unverified.MaxToken {
		return "", "", apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("the token would have %d bytes, and may have %d", len(token), unverified.MaxToken))
	}
	return token, id, nil
}

// IssueInSecret returns a token that is to be in a secret, and holds as long as that is
// there. It names neither an audience nor an end.
func (i *Issuer) IssueInSecret(secret string, account Reference) (string, error) {
	claims := payload{
		Issuer: legacyIssuer, Subject: serviceaccount.MakeUsername(account.Namespace, account.Name),
		Namespace: account.Namespace, SecretName: secret, AccountName: account.Name, AccountUID: account.UID,
	}
	token, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
