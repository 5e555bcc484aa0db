// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Keys verify tokens. Several let one key follow another: tokens of the old one stay
// good for as long as it is here.
type Keys struct{ all []jose.JSONWebKey }

// NewKeys takes RSA and ECDSA keys, of private ones the public half. One that is
// there twice is taken once.
func NewKeys(keys ...any) (Keys, error) {
	var out Keys
	for _, key := range keys {
		if private, ok := key.(crypto.Signer); ok {
			key = private.Public()
		}
		public, err := describe(key)
		if err != nil {
			return Keys{}, err
		}
		if !slices.ContainsFunc(out.all, func(k jose.JSONWebKey) bool { return k.KeyID == public.KeyID }) {
			out.all = append(out.all, public)
		}
	}
	return out, nil
}

// candidates are the keys that a token may be signed with. Without an ID it may be
// any.
func (k Keys) candidates(id string) []jose.JSONWebKey {
	if id == "" {
		return k.all
	}
	i := slices.IndexFunc(k.all, func(key jose.JSONWebKey) bool { return key.KeyID == id })
	if i < 0 {
		return nil
	}
	return k.all[i : i+1]
}

// describe gives a public key its algorithm and its ID: a hash, from which nobody can
// take the key instead of getting it from where it is published.
func describe(public crypto.PublicKey) (jose.JSONWebKey, error) {
	algorithm, err := algorithmOf(public)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("encode public key: %w", err)
	}
	hash := sha256.Sum256(der)
	return jose.JSONWebKey{
		Key: public, KeyID: base64.RawURLEncoding.EncodeToString(hash[:]), Algorithm: string(algorithm), Use: "sig",
	}, nil
}

// algorithms are those of which a signature is looked at. "none" and those with a
// shared secret are not among them.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.ES512}
}

func algorithmOf(public crypto.PublicKey) (jose.SignatureAlgorithm, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return jose.RS256, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return jose.ES256, nil
		case elliptic.P384():
			return jose.ES384, nil
		case elliptic.P521():
			return jose.ES512, nil
		}
		return "", errors.New("an ECDSA key must be on the curve P-256, P-384 or P-521")
	}
	return "", fmt.Errorf("a key of type %T is neither RSA nor ECDSA", public)
}
