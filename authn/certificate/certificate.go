// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/sha256"
	stdx509 "crypto/x509"
	"net/http"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/x509"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

const (
	// remembered is how many certificates are kept.
	remembered = 4096
	// forgetAfter bounds how long a certificate outlives the expiry of its CA.
	forgetAfter = time.Minute
)

// Authenticator is an authenticator.Request. The user is the CommonName, the
// groups are the Organizations and system:authenticated.
type Authenticator struct {
	verifyOptions x509.VerifyOptionFunc
	delegate      authenticator.Request
	clock         clock.PassiveClock
	verified      *lru.Cache // key -> entry
}

// key is a chain of certificates and the CAs it was verified with. The pool is a
// new one when the CAs change.
type key struct {
	chain [sha256.Size]byte
	roots *stdx509.CertPool
}

type entry struct {
	response *authenticator.Response
	until    time.Time
}

// New returns an authenticator that trusts the CAs of verifyOptions, which is
// called for each request.
func New(verifyOptions x509.VerifyOptionFunc) *Authenticator {
	return &Authenticator{
		verifyOptions: verifyOptions,
		delegate:      group.NewAuthenticatedGroupAdder(x509.NewDynamic(verifyOptions, x509.CommonNameUserConversion)),
		clock:         clock.RealClock{},
		verified:      lru.New(remembered),
	}
}

// AuthenticateRequest implements authenticator.Request. Callers must not change
// the response.
func (a *Authenticator) AuthenticateRequest(req *http.Request) (*authenticator.Response, bool, error) {
	if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 {
		return nil, false, nil
	}
	options, ok := a.verifyOptions()
	if !ok {
		return nil, false, nil
	}
	k := key{chain: digest(req.TLS.PeerCertificates), roots: options.Roots}
	now := a.clock.Now()
	if found, ok := a.verified.Get(k); ok && now.Before(found.(entry).until) {
		return found.(entry).response, true, nil
	}
	response, ok, err := a.delegate.AuthenticateRequest(req)
	if ok && err == nil {
		until := now.Add(forgetAfter)
		for _, c := range req.TLS.PeerCertificates {
			if c.NotAfter.Before(until) {
				until = c.NotAfter
			}
		}
		a.verified.Add(k, entry{response: response, until: until})
	}
	return response, ok, err
}

// digest identifies a chain.
func digest(chain []*stdx509.Certificate) (sum [sha256.Size]byte) {
	if len(chain) == 1 {
		return sha256.Sum256(chain[0].Raw)
	}
	all := sha256.New()
	for _, c := range chain {
		own := sha256.Sum256(c.Raw)
		all.Write(own[:])
	}
	all.Sum(sum[:0])
	return sum
}
