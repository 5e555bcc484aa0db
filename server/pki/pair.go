// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// skew is how far the clocks of clients may be behind.
const skew = 5 * time.Minute

// Pair is a certificate with its private key. It does not change; RenewLoop makes a new one.
type Pair struct {
	// CertPEM and KeyPEM are what the files contain.
	CertPEM, KeyPEM []byte
	// CertFile and KeyFile are empty if the store keeps nothing.
	CertFile, KeyFile string
	// Leaf is the certificate.
	Leaf *x509.Certificate
}

// String names the pair without its key, so that printing one by accident is harmless.
func (p *Pair) String() string {
	return fmt.Sprintf("certificate of %q until %s", p.Leaf.Subject.CommonName, p.Leaf.NotAfter.Format(time.RFC3339))
}

// GoString is String, for %#v.
func (p *Pair) GoString() string { return p.String() }

func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate private key: %w", err)
	}
	content, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode private key: %w", err)
	}
	return key, content, nil
}

func parseKey(content []byte) (crypto.Signer, error) {
	parsed, err := keyutil.ParsePrivateKeyPEM(content)
	if err != nil {
		return nil, errors.New("it is not a PEM-encoded private key")
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("it is not a private key that can sign")
	}
	return signer, nil
}

func parseCert(content []byte) (*x509.Certificate, error) {
	certs, err := certutil.ParseCertsPEM(content)
	if err != nil {
		return nil, fmt.Errorf("it is not a PEM-encoded certificate: %w", err)
	}
	return certs[0], nil
}

// sign fills in what all certificates have in common and returns the certificate with its PEM form. A nil parent makes
// the certificate sign itself.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, []byte,
	error) {
	const serialBits = 127
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, nil, fmt.Errorf("choose serial number: %w", err)
	}
	template.SerialNumber = serial
	template.BasicConstraintsValid = true
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("sign certificate of %q: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read signed certificate of %q: %w", template.Subject.CommonName, err)
	}
	content, err := certutil.EncodeCertificates(cert)
	if err != nil {
		return nil, nil, fmt.Errorf("encode certificate of %q: %w", template.Subject.CommonName, err)
	}
	return cert, content, nil
}

func samePublicKey(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}
