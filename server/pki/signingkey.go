// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"k8s.io/client-go/util/keyutil"
	"k8s.io/klog/v2"
)

const publicExtension = ".pub"

// EnsureKey returns the private key that the file name.key holds, and makes it if there is none. Its public half is in
// name.pub, for those who verify what it signs. A key that cannot be used is ErrKey.
func (s Store) EnsureKey(ctx context.Context, name string) (crypto.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	key, err := s.loadKey(name)
	if key != nil || err != nil {
		return key, err
	}
	err = s.exclusive(func() error {
		if key, err = s.loadKey(name); key != nil || err != nil {
			return err
		}
		var content []byte
		if key, content, err = newKey(); err != nil || s.Dir == "" {
			return err
		}
		public, err := encodePublic(key.Public())
		if err != nil {
			return err
		}
		// The private key last: where it is, the other is too.
		if err := writeFile(s.file(name, publicExtension), public, certMode); err != nil {
			return err
		}
		if err := writeFile(s.keyFile(name), content, keyMode); err != nil {
			return err
		}
		klog.FromContext(ctx).V(2).Info("Created signing key", "file", s.keyFile(name))
		return syncFolder(s.Dir)
	})
	return key, err
}

// loadKey returns nil without an error if there is no key.
func (s Store) loadKey(name string) (crypto.Signer, error) {
	if err := s.checkFolder(); err != nil {
		return nil, err
	}
	content, err := readKey(s.keyFile(name))
	if err != nil || content == nil {
		return nil, err
	}
	key, err := parseKey(content)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; put back the right file, or move it away to make a new key, which makes "+
			"everything worthless that the old one signed", ErrKey, s.keyFile(name), err)
	}
	return key, nil
}

func encodePublic(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyutil.PublicKeyBlockType, Bytes: der}), nil
}
