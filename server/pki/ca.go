// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

const (
	caLifetime = 10 * 365 * 24 * time.Hour
	// caWarning is how long before its end an authority is reported at each start. It has to be exchanged by people.
	caWarning = 180 * 24 * time.Hour
)

// CA is a certificate authority. Its methods may be called from any goroutine.
type CA struct {
	store Store
	name  string
	cert  *x509.Certificate
	key   crypto.Signer
	pem   []byte

	mu sync.Mutex
	// leafs are the certificates that RenewLoop looks after, by name.
	leafs map[string]request
}

// EnsureCA returns the certificate authority that the files name.crt and name.key hold, and makes it, for ten years, if
// neither exists. name is also its common name. A key without a certificate, left by a crash, gets a new certificate.
// Anything else that is wrong is ErrCA.
func (s Store) EnsureCA(ctx context.Context, name string) (*CA, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	ca := &CA{store: s, name: name, leafs: map[string]request{}}
	found, err := ca.load()
	if !found && err == nil {
		err = s.exclusive(func() error {
			if found, err := ca.load(); found || err != nil {
				return err
			}
			return ca.create(ctx)
		})
	}
	if err != nil {
		return nil, err
	}
	if left := ca.cert.NotAfter.Sub(s.clock().Now()); left < caWarning {
		klog.FromContext(ctx).Info("Certificate authority must be replaced soon", "file", s.certFile(name),
			"expires", ca.cert.NotAfter)
	}
	return ca, nil
}

// load reads the authority. It is not found if there is no certificate.
func (c *CA) load() (found bool, err error) {
	if err := c.store.checkFolder(); err != nil {
		return false, err
	}
	certFile, keyFile := c.store.certFile(c.name), c.store.keyFile(c.name)
	c.pem, err = readCert(certFile)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrCA, err)
	}
	if c.pem == nil {
		return false, nil
	}
	if c.cert, err = parseCert(c.pem); err != nil {
		return false, caError(certFile, err.Error())
	}
	content, err := readKey(keyFile)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrCA, err)
	case content == nil:
		return false, caError(keyFile, "the private key is missing, but "+certFile+" exists")
	}
	if c.key, err = parseKey(content); err != nil {
		return false, caError(keyFile, err.Error())
	}
	return true, c.check(certFile, keyFile)
}

func (c *CA) check(certFile, keyFile string) error {
	now := c.store.clock().Now()
	switch {
	case !samePublicKey(c.cert, c.key):
		return caError(keyFile, "the private key does not belong to "+certFile)
	case !c.cert.IsCA:
		return caError(certFile, "the certificate is not that of an authority")
	case now.After(c.cert.NotAfter):
		return caError(certFile, "it expired at "+c.cert.NotAfter.Format(time.RFC3339))
	case now.Before(c.cert.NotBefore):
		return caError(certFile, "it is not valid before "+c.cert.NotBefore.Format(time.RFC3339)+
			", and this machine's clock says "+now.UTC().Format(time.RFC3339))
	default:
		return nil
	}
}

func caError(file, reason string) error {
	return fmt.Errorf("%w: %s: %s; put back the right file, or move both files away to make a new authority, "+
		"which every client then has to trust anew", ErrCA, file, reason)
}

// create makes the authority and writes it, the key first: a certificate is only ever seen with its key.
func (c *CA) create(ctx context.Context) error {
	keyFile := c.store.keyFile(c.name)
	content, err := readKey(keyFile)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCA, err)
	}
	isNew := content == nil
	if isNew {
		c.key, content, err = newKey()
	} else if c.key, err = parseKey(content); err != nil {
		err = caError(keyFile, err.Error())
	}
	if err != nil {
		return err
	}
	now := c.store.clock().Now()
	c.cert, c.pem, err = sign(&x509.Certificate{
		Subject:        pkix.Name{CommonName: c.name},
		NotBefore:      now.Add(-skew),
		NotAfter:       now.Add(caLifetime),
		IsCA:           true,
		MaxPathLenZero: true,
		KeyUsage:       x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}, nil, c.key.Public(), c.key)
	if err != nil || c.store.Dir == "" {
		return err
	}
	if isNew {
		if err := writeFile(keyFile, content, keyMode); err != nil {
			return err
		}
	}
	if err := writeFile(c.store.certFile(c.name), c.pem, certMode); err != nil {
		return err
	}
	klog.FromContext(ctx).V(2).Info("Created certificate authority", "file", c.store.certFile(c.name),
		"expires", c.cert.NotAfter)
	return syncFolder(c.store.Dir)
}

// CertPEM returns the certificate for those who shall trust the authority.
func (c *CA) CertPEM() []byte { return append([]byte(nil), c.pem...) }

// Signer returns what signs in the name of the authority.
func (c *CA) Signer() (*x509.Certificate, crypto.Signer, error) { return c.cert, c.key, nil }

// String names the authority without its key.
func (c *CA) String() string { return fmt.Sprintf("certificate authority %q", c.name) }

// GoString is String, for %#v.
func (c *CA) GoString() string { return c.String() }

// checkName keeps names from leaving the folder or hiding in it.
func checkName(name string) error {
	if name == "" || strings.HasPrefix(name, ".") || name != filepath.Base(name) {
		return fmt.Errorf("%w: name %q must be a file name that does not start with a dot", ErrInvalid, name)
	}
	return nil
}
