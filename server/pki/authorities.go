// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"
)

// Lifetimes say how long the certificates of Authorities are good.
type Lifetimes struct {
	// Authority is that of an authority. When less than a third is left, there is a next one.
	Authority time.Duration
	// Leaf is that of a serving certificate. It is renewed when less than a third is left.
	Leaf time.Duration
	// Overlap is how long a next authority is made known before it signs.
	Overlap time.Duration
}

// Authorities are certificate authorities that follow one another, the oldest first. All of them are trusted; one signs. A
// value does not change: Next returns another one. Unlike a CA, they are exchanged before they end, because whoever
// trusts them is told.
type Authorities []authority

type authority struct {
	cert            *x509.Certificate
	key             crypto.Signer
	certPEM, keyPEM []byte
}

// ReadAuthorities returns the authorities in the file name.key of the folder; none if there is no file.
func (s Store) ReadAuthorities(name string) (Authorities, error) {
	if err := s.checkFolder(); err != nil {
		return nil, err
	}
	content, err := readKey(s.keyFile(name))
	if err != nil {
		return nil, err
	}
	authorities, err := ParseAuthorities(content, content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.keyFile(name), err)
	}
	return authorities, nil
}

// WriteAuthorities replaces the file name.key. It has certificates and keys, which so fit at any moment.
func (s Store) WriteAuthorities(name string, authorities Authorities) error {
	return s.exclusive(func() error {
		if s.Dir == "" {
			return nil
		}
		if err := writeFile(s.keyFile(name), append(authorities.Bundle(), authorities.Keys()...), keyMode); err != nil {
			return err
		}
		return syncFolder(s.Dir)
	})
}

// ParseAuthorities reads what Authorities.Bundle and Authorities.Keys returned, in which the other may be too. Nothing in
// both is none. Errors do not repeat what is in keys.
func ParseAuthorities(bundle, keys []byte) (Authorities, error) {
	if len(bytes.TrimSpace(bundle)) == 0 && len(bytes.TrimSpace(keys)) == 0 {
		return nil, nil
	}
	certs, err := certutil.ParseCertsPEM(bundle)
	if err != nil {
		return nil, fmt.Errorf("%w: certificates: %w", ErrCA, err)
	}
	var out Authorities
	for i, cert := range certs {
		block, rest := pem.Decode(keys)
		for block != nil && block.Type == certutil.CertificateBlockType {
			block, rest = pem.Decode(rest)
		}
		if keys = rest; block == nil {
			return nil, fmt.Errorf("%w: certificate %d has no key", ErrCA, i)
		}
		a := authority{cert: cert, keyPEM: pem.EncodeToMemory(block)}
		if a.key, err = parseKey(a.keyPEM); err != nil {
			return nil, fmt.Errorf("%w: key %d: %w", ErrCA, i, err)
		}
		if !samePublicKey(cert, a.key) || !cert.IsCA {
			return nil, fmt.Errorf("%w: certificate %d is not that of an authority with key %d", ErrCA, i, i)
		}
		if a.certPEM, err = certutil.EncodeCertificates(cert); err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrCA, i, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// Bundle returns the certificates for those who shall trust the authorities.
func (a Authorities) Bundle() []byte {
	var out []byte
	for _, one := range a {
		out = append(out, one.certPEM...)
	}
	return out
}

// Keys returns the private keys, in the order of Bundle.
func (a Authorities) Keys() []byte {
	var out []byte
	for _, one := range a {
		out = append(out, one.keyPEM...)
	}
	return out
}

// String names the authorities without their keys.
func (a Authorities) String() string { return fmt.Sprintf("%d certificate authorities", len(a)) }

// GoString is String, for %#v.
func (a Authorities) GoString() string { return a.String() }

// Next returns the authorities that there should be at a time: without those that have ended, and with a new one if the
// last one ends soon or there is none. changed says whether that is another value.
func (a Authorities) Next(now time.Time, name string, lifetimes Lifetimes) (next Authorities, changed bool, err error) {
	for _, one := range a {
		if now.Before(one.cert.NotAfter) {
			next = append(next, one)
		}
	}
	changed = len(next) < len(a)
	if len(next) > 0 && now.Before(nextAt(next[len(next)-1].cert)) {
		return next, changed, nil
	}
	one, err := newAuthority(now, name, lifetimes.Authority)
	if err != nil {
		return nil, false, err
	}
	return append(next, one), true, nil
}

// nextAt is when less than a third of the lifetime that was asked for is left.
func nextAt(cert *x509.Certificate) time.Time {
	const part = 3
	return cert.NotAfter.Add(-(cert.NotAfter.Sub(cert.NotBefore) - skew) / part)
}

func newAuthority(now time.Time, name string, lifetime time.Duration) (authority, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return authority{}, err
	}
	cert, certPEM, err := sign(&x509.Certificate{
		Subject:        pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, now.Unix())},
		NotBefore:      now.Add(-skew),
		NotAfter:       now.Add(lifetime),
		IsCA:           true,
		MaxPathLenZero: true,
		KeyUsage:       x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}, nil, key.Public(), key)
	return authority{cert: cert, key: key, certPEM: certPEM, keyPEM: keyPEM}, err
}

// signer is the newest authority that was made known long enough ago, or the oldest if none was: that one is known best.
func (a Authorities) signer(now time.Time, overlap time.Duration) authority {
	out := a[0]
	for _, one := range a {
		if !now.Before(one.cert.NotBefore.Add(skew).Add(overlap)) {
			out = one
		}
	}
	return out
}

// Serving returns the serving certificate that there should be at a time. That is before if it does: signed by the right
// authority, for all the hosts, and with more than a third of its life left. changed says whether it is a new one.
func (a Authorities) Serving(ctx context.Context, now time.Time, before *Pair, serving Serving, lifetimes Lifetimes) (pair *Pair, changed bool, err error) {
	by := a.signer(now, lifetimes.Overlap)
	if before != nil && before.Leaf.CheckSignatureFrom(by.cert) == nil && now.Before(nextAt(before.Leaf)) && fits(before.Leaf, serving.Hosts) {
		return before, false, nil
	}
	serving.Lifetime = lifetimes.Leaf
	ca := &CA{store: Store{Clock: moment{now: now}}, name: by.cert.Subject.CommonName, cert: by.cert, key: by.key, pem: by.certPEM, leafs: map[string]request{}}
	pair, err = ca.EnsureServing(ctx, "serving", serving)
	return pair, true, err
}

// moment is a clock that stands still.
type moment struct {
	clock.RealClock
	now time.Time
}

// Now implements clock.Clock.
func (m moment) Now() time.Time { return m.now }

func fits(leaf *x509.Certificate, hosts []string) bool {
	for _, host := range hosts {
		if leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}
