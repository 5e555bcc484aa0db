// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig describes one server and one user. Certificates are embedded, so that the file can be copied.
type Kubeconfig struct {
	// Name is that of the cluster, the user and the context.
	Name string
	// Server is the URL.
	Server string
	// ServerName is the name to verify the server's certificate by. Unset: the host of Server.
	ServerName string
	// CA is what the client trusts, in PEM.
	CA []byte
	// Client is the client's certificate. Nil means that the user has to authenticate in some other way.
	Client *Pair
	// Namespace is the default one. Empty means "default".
	Namespace string
}

// Current says what MergeKubeconfig does with the context that is in use.
type Current int

const (
	// CurrentIfNone uses the new context only if none is in use.
	CurrentIfNone Current = iota
	// CurrentAlways switches to the new context.
	CurrentAlways
)

func (k Kubeconfig) validate() error {
	switch {
	case k.Name == "":
		return fmt.Errorf("%w: Name of the kubeconfig entry must be set", ErrInvalid)
	case k.Server == "":
		return fmt.Errorf("%w: Server of the kubeconfig must be set", ErrInvalid)
	default:
		return nil
	}
}

func (k Kubeconfig) addTo(config *clientcmdapi.Config) {
	config.Clusters[k.Name] = &clientcmdapi.Cluster{
		Server: k.Server, TLSServerName: k.ServerName, CertificateAuthorityData: k.CA,
	}
	user := &clientcmdapi.AuthInfo{}
	if k.Client != nil {
		user.ClientCertificateData, user.ClientKeyData = k.Client.CertPEM, k.Client.KeyPEM
	}
	config.AuthInfos[k.Name] = user
	config.Contexts[k.Name] = &clientcmdapi.Context{Cluster: k.Name, AuthInfo: k.Name, Namespace: k.Namespace}
}

func (k Kubeconfig) isIn(config *clientcmdapi.Config) bool {
	return config.Clusters[k.Name] != nil || config.AuthInfos[k.Name] != nil || config.Contexts[k.Name] != nil
}

// Encode returns the kubeconfig as it stands in a file. It has a private key.
func (k Kubeconfig) Encode() ([]byte, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	content, err := clientcmd.Write(*k.alone())
	if err != nil {
		return nil, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return content, nil
}

// alone is a configuration that has nothing else.
func (k Kubeconfig) alone() *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	k.addTo(config)
	config.CurrentContext = k.Name
	return config
}

// ReadKubeconfig returns the server of the entry with a name in a kubeconfig that WriteKubeconfig wrote, without the client.
func ReadKubeconfig(path, name string) (Kubeconfig, error) {
	if _, err := os.Stat(path); err != nil {
		return Kubeconfig{}, fmt.Errorf("%w: %w", ErrKubeconfig, err)
	}
	config, err := loadConfig(path)
	if err != nil {
		return Kubeconfig{}, err
	}
	cluster := config.Clusters[name]
	if cluster == nil {
		return Kubeconfig{}, fmt.Errorf("%w: %s has no cluster %q", ErrKubeconfig, path, name)
	}
	return Kubeconfig{Name: name, Server: cluster.Server, ServerName: cluster.TLSServerName, CA: cluster.CertificateAuthorityData}, nil
}

// WriteKubeconfig replaces the file at path by one that has only this server, with mode 0600.
func WriteKubeconfig(path string, k Kubeconfig) error {
	if err := k.validate(); err != nil {
		return err
	}
	return writeConfig(path, k.alone(), keyMode)
}

func writeConfig(path string, config *clientcmdapi.Config, mode fs.FileMode) error {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode kubeconfig %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return fmt.Errorf("create folder of kubeconfig: %w", err)
	}
	if err := writeFile(path, content, mode); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// MergeKubeconfig adds the server to the kubeconfig of the user, or replaces what is there under its name, and returns the
// file that it changed. An empty path means the files that kubectl would use, $KUBECONFIG or ~/.kube/config: the one that
// has the name already, or else the one that kubectl would write to. Other entries stay; comments are lost, as with
// kubectl config. A file that cannot be read is left as it is. The file has at most mode 0600 afterwards.
func MergeKubeconfig(path string, k Kubeconfig, current Current) (string, error) {
	if err := k.validate(); err != nil {
		return "", err
	}
	paths := []string{path}
	if path == "" {
		paths = clientcmd.NewDefaultPathOptions().GetLoadingPrecedence()
		path = clientcmd.NewDefaultPathOptions().GetDefaultFilename()
	}
	target, inUse := path, ""
	found := false
	for _, candidate := range paths {
		config, err := loadConfig(candidate)
		if err != nil {
			return "", err
		}
		if !found && k.isIn(config) {
			target, found = candidate, true
		}
		if inUse == "" && config.CurrentContext != "" {
			inUse = candidate
		}
	}
	change := func(config *clientcmdapi.Config) {
		k.addTo(config)
		if inUse == "" || current == CurrentAlways {
			config.CurrentContext = k.Name
		}
	}
	if err := changeConfig(target, change); err != nil {
		return "", err
	}
	if current == CurrentAlways && inUse != "" && inUse != target {
		// The first file that names a context wins, and it is another one.
		err := changeConfig(inUse, func(config *clientcmdapi.Config) { config.CurrentContext = k.Name })
		if err != nil {
			return "", err
		}
	}
	return target, nil
}

// loadConfig returns an empty configuration for a file that does not exist.
func loadConfig(path string) (*clientcmdapi.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return clientcmdapi.NewConfig(), nil
	case err != nil:
		// The decoder may quote what it could not read, which may be a key: keep only errors of the file system.
		if pathError, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, fmt.Errorf("%w: %w", ErrKubeconfig, pathError)
		}
		return nil, fmt.Errorf("%w: %s is not a valid kubeconfig; it was left as it is", ErrKubeconfig, path)
	default:
		return config, nil
	}
}

// changeConfig reads, changes and replaces a file while it holds the lock that kubectl uses.
func changeConfig(path string, change func(*clientcmdapi.Config)) error {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return fmt.Errorf("create folder of kubeconfig: %w", err)
	}
	lockPath := path + ".lock"
	lock, err := os.OpenFile(lockPath, os.O_CREATE|os.O_EXCL, 0)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s is being changed by another program; remove %s if there is none", ErrKubeconfig, path,
			lockPath)
	}
	if err != nil {
		return fmt.Errorf("lock kubeconfig: %w", err)
	}
	defer func() {
		_ = lock.Close()
		_ = os.Remove(lockPath)
	}()
	config, err := loadConfig(path)
	if err != nil {
		return err
	}
	mode := fs.FileMode(keyMode)
	if info, err := os.Stat(path); err == nil {
		mode &= info.Mode().Perm()
	}
	change(config)
	return writeConfig(path, config, mode)
}
