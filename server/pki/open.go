// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"context"
	"fmt"
)

// OpenCA returns the certificate authority that the files name.crt and name.key hold. Unlike EnsureCA it makes none: one
// that is missing is ErrCA.
func (s Store) OpenCA(name string) (*CA, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	ca := &CA{store: s, name: name, leafs: map[string]request{}}
	found, err := ca.load()
	if err == nil && !found {
		err = fmt.Errorf("%w: there is none in %q", ErrCA, s.Dir)
	}
	if err != nil {
		return nil, err
	}
	return ca, nil
}

// IssueClient returns a new client certificate that nobody but the caller keeps, and that is not renewed. It ends with the
// authority at the latest.
func (c *CA) IssueClient(ctx context.Context, client Client) (*Pair, error) {
	signer := &CA{store: Store{Clock: c.store.Clock}, name: c.name, cert: c.cert, key: c.key, pem: c.pem, leafs: map[string]request{}}
	return signer.EnsureClient(ctx, c.name+"-client", client)
}
