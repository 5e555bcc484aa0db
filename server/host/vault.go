// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server/pki"
)

// The keys of a secret with authorities.
const (
	bundleKey = "ca.crt"
	keysKey   = "ca.key"
)

// errConflict says that somebody else has changed a vault.
var errConflict = errors.New("it was changed meanwhile")

// Kept is what is in a vault.
type Kept struct {
	Authorities pki.Authorities
	version     *corev1.Secret
}

// Vault keeps the authorities of a server.
type Vault interface {
	// Load returns what is there. Nothing is no error.
	Load(ctx context.Context) (Kept, error)
	// Save replaces what Load returned.
	Save(ctx context.Context, kept Kept) error
	// String names the vault in errors.
	String() string
}

// SecretVault is a secret of the cluster, which replicas share. It must exist: who makes
// it is whoever installs the server, which need not be allowed to make secrets.
type SecretVault struct {
	Client kubernetes.Interface
	Name   ObjectName
}

var _ Vault = SecretVault{}

// String implements Vault.
func (v SecretVault) String() string { return "secret " + v.Name.Namespace + "/" + v.Name.Name }

// Load implements Vault.
func (v SecretVault) Load(ctx context.Context) (Kept, error) {
	secret, err := v.Client.CoreV1().Secrets(v.Name.Namespace).Get(ctx, v.Name.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Kept{}, fmt.Errorf("there is no %s: run stoa install", v)
	}
	if err != nil {
		return Kept{}, fmt.Errorf("%s: %w", v, err)
	}
	authorities, err := pki.ParseAuthorities(secret.Data[bundleKey], secret.Data[keysKey])
	if err != nil {
		return Kept{}, fmt.Errorf("%s: %w; delete its content to have a new authority made", v, err)
	}
	return Kept{Authorities: authorities, version: secret}, nil
}

// Save implements Vault.
func (v SecretVault) Save(ctx context.Context, kept Kept) error {
	secret := kept.version.DeepCopy()
	secret.Data = map[string][]byte{bundleKey: kept.Authorities.Bundle(), keysKey: kept.Authorities.Keys()}
	_, err := v.Client.CoreV1().Secrets(v.Name.Namespace).Update(ctx, secret, metav1.UpdateOptions{FieldManager: "stoa"})
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if err != nil {
		return fmt.Errorf("%s: %w", v, err)
	}
	return nil
}

// FolderVault is a folder of this machine, which one server uses.
type FolderVault struct{ Store pki.Store }

var _ Vault = FolderVault{}

// folderName is that of the file in a FolderVault.
const folderName = "aggregated-ca"

// String implements Vault.
func (v FolderVault) String() string { return "folder " + v.Store.Dir }

// Load implements Vault.
func (v FolderVault) Load(context.Context) (Kept, error) {
	authorities, err := v.Store.ReadAuthorities(folderName)
	return Kept{Authorities: authorities}, err
}

// Save implements Vault.
func (v FolderVault) Save(_ context.Context, kept Kept) error {
	return v.Store.WriteAuthorities(folderName, kept.Authorities)
}
