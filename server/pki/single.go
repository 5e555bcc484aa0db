// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"

	"k8s.io/klog/v2"
)

// EnsureSingle returns the client certificate that name.crt and name.key hold, and that of the authority that signed it,
// from name-ca.crt. Nobody has the key of the authority: it signed this one certificate, which is valid as long as itself.
// Both are made anew if anything is missing or wrong, or less than a third of their life is left. They are not renewed.
func (s Store) EnsureSingle(ctx context.Context, name string, client Client) (pair *Pair, authority []byte, err error) {
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	r, err := client.request(name)
	if err != nil {
		return nil, nil, err
	}
	r.lifetime = caLifetime
	ca := &CA{store: s, name: name + "-ca"}
	if pair, err = ca.loadSingle(r); pair != nil || err != nil {
		return pair, ca.pem, err
	}
	err = s.exclusive(func() error {
		if pair, err = ca.loadSingle(r); pair != nil || err != nil {
			return err
		}
		pair, err = ca.issueSingle(ctx, r)
		return err
	})
	return pair, ca.pem, err
}

// loadSingle returns nil if there is no certificate, or none to go on with.
func (c *CA) loadSingle(r request) (*Pair, error) {
	if err := c.store.checkFolder(); err != nil {
		return nil, err
	}
	content, err := readCert(c.store.certFile(c.name))
	if err != nil {
		return nil, err
	}
	// Nothing is signed by an authority that is not there, but somebody else's stays.
	c.cert, c.pem = &x509.Certificate{Subject: pkix.Name{CommonName: c.name}}, content
	if cert, err := parseCert(content); err == nil {
		c.cert = cert
	}
	stored, err := c.loadLeaf(r)
	return stored.pair, err
}

// issueSingle writes the key first, and the authority last. A crash leaves what does not fit, and is made anew.
func (c *CA) issueSingle(ctx context.Context, r request) (*Pair, error) {
	memory, err := Store{Clock: c.store.Clock}.EnsureCA(ctx, c.name)
	if err != nil {
		return nil, err
	}
	pair, err := memory.issue(ctx, r, storedLeaf{})
	if err != nil {
		return nil, err
	}
	c.pem = memory.pem
	if c.store.Dir == "" {
		return pair, nil
	}
	pair.CertFile, pair.KeyFile = c.store.certFile(r.name), c.store.keyFile(r.name)
	if err := writeFile(pair.KeyFile, pair.KeyPEM, keyMode); err != nil {
		return nil, err
	}
	if err := writeFile(pair.CertFile, pair.CertPEM, certMode); err != nil {
		return nil, err
	}
	if err := writeFile(c.store.certFile(c.name), c.pem, certMode); err != nil {
		return nil, err
	}
	klog.FromContext(ctx).V(2).Info("Issued certificate", "file", pair.CertFile, "expires", pair.Leaf.NotAfter)
	return pair, syncFolder(c.store.Dir)
}
