// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stoa-project/stoa/server/pki"
)

// ClientKubeconfig returns a kubeconfig of the server that keeps its data in dataDir,
// with a new certificate for client, which the CA in that folder signs. The server
// must have been started once, and need not run. expires is when the certificate
// ends: as asked, or earlier with the CA.
func ClientKubeconfig(ctx context.Context, dataDir string, client pki.Client) (_ pki.Kubeconfig, expires time.Time, err error) {
	if err := checkClient(client); err != nil {
		return pki.Kubeconfig{}, time.Time{}, err
	}
	authority, err := pki.Store{Dir: filepath.Join(dataDir, pkiFolder)}.OpenCA(caName)
	if err != nil {
		return pki.Kubeconfig{}, time.Time{}, fmt.Errorf("no server has been started with the data folder %q: %w", dataDir, err)
	}
	k, err := pki.ReadKubeconfig(filepath.Join(dataDir, KubeconfigFile), kubeconfigEntry)
	if err != nil {
		return pki.Kubeconfig{}, time.Time{}, err
	}
	if k.Client, err = authority.IssueClient(ctx, client); err != nil {
		return pki.Kubeconfig{}, time.Time{}, err
	}
	k.Name = client.User + "@" + kubeconfigEntry
	return k, k.Client.Leaf.NotAfter, nil
}

func checkClient(client pki.Client) error {
	if client.User == "" {
		return errors.New("the user must have a name")
	}
	for _, name := range append([]string{client.User}, client.Groups...) {
		if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			return fmt.Errorf("the name %q must be UTF-8 without control characters, and not empty", name)
		}
	}
	return nil
}
