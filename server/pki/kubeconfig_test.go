// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stoa-project/stoa/server/pki"
)

const existing = `# a comment
apiVersion: v1
kind: Config
clusters:
- name: work
  cluster: {server: https://work.example.com, certificate-authority: relative/ca.crt}
users:
- name: me
  user: {token: secret-token}
contexts:
- name: work
  context: {cluster: work, user: me, namespace: here}
current-context: work
`

func entry(t testing.TB, name string) pki.Kubeconfig {
	t.Helper()
	ca := ensureCA(t, pki.Store{})
	return pki.Kubeconfig{
		Name: name, Server: "https://127.0.0.1:6443", CA: ca.CertPEM(), Client: ensureClient(t, ca, admin()),
	}
}

func load(t testing.TB, path string) *clientcmdapi.Config {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func checkMode(t testing.TB, path, want string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || fmt.Sprintf("%04o", info.Mode().Perm()) != want {
		t.Errorf("%s: %v %v, not mode %s", path, info, err, want)
	}
}

func TestWriteKubeconfig(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "admin.kubeconfig")
	k := entry(t, "stoa")
	for range 2 {
		if err := pki.WriteKubeconfig(path, k); err != nil {
			t.Fatal(err)
		}
	}
	checkMode(t, path, "0600")
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != k.Server || string(config.CAData) != string(k.CA) ||
		string(config.CertData) != string(k.Client.CertPEM) || string(config.KeyData) != string(k.Client.KeyPEM) {
		t.Errorf("got %v", config)
	}
	if config.ServerName != "" {
		t.Errorf("verifies the name %q", config.ServerName)
	}
	k.ServerName = "api.example.com"
	if err := pki.WriteKubeconfig(path, k); err != nil {
		t.Fatal(err)
	}
	if config, err = clientcmd.BuildConfigFromFlags("", path); err != nil || config.ServerName != "api.example.com" {
		t.Errorf("got %v %v", config, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left %v %v", entries, err)
	}
	if err := pki.WriteKubeconfig(path, pki.Kubeconfig{Name: "stoa"}); !errors.Is(err, pki.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestMergeKeepsTheRest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, existing, 0o644)
	if target, err := pki.MergeKubeconfig(path, entry(t, "stoa"), pki.CurrentIfNone); err != nil || target != path {
		t.Fatal(target, err)
	}
	config := load(t, path)
	if config.CurrentContext != "work" || config.AuthInfos["me"].Token != "secret-token" ||
		config.Contexts["work"].Namespace != "here" || config.Contexts["stoa"] == nil {
		t.Errorf("got %v", read(t, path))
	}
	if config.Clusters["work"].CertificateAuthority != "relative/ca.crt" {
		t.Errorf("relative path became %q", config.Clusters["work"].CertificateAuthority)
	}
	checkMode(t, path, "0600")

	replaced := entry(t, "stoa")
	if _, err := pki.MergeKubeconfig(path, replaced, pki.CurrentAlways); err != nil {
		t.Fatal(err)
	}
	config = load(t, path)
	if config.CurrentContext != "stoa" || len(config.Clusters) != 2 ||
		string(config.Clusters["stoa"].CertificateAuthorityData) != string(replaced.CA) {
		t.Errorf("got %v", read(t, path))
	}
	if _, err := os.Stat(path + ".lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lock: %v", err)
	}
}

func TestMergeIntoNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".kube", "config")
	if _, err := pki.MergeKubeconfig(path, entry(t, "stoa"), pki.CurrentIfNone); err != nil {
		t.Fatal(err)
	}
	if config := load(t, path); config.CurrentContext != "stoa" {
		t.Errorf("current context %q", config.CurrentContext)
	}
	checkMode(t, path, "0600")
	checkMode(t, filepath.Dir(path), "0700")
}

func TestMergeThroughLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	write(t, path, existing, 0o400)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.MergeKubeconfig(link, entry(t, "stoa"), pki.CurrentIfNone); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("link: %v %v", info, err)
	}
	if load(t, path).Clusters["stoa"] == nil {
		t.Error("target of the link was not changed")
	}
	checkMode(t, path, "0400")
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	write(t, damaged, "clusters: [}secret-token", 0o600)
	locked := filepath.Join(dir, "locked")
	write(t, locked, existing, 0o600)
	write(t, locked+".lock", "", 0o600)
	for path, text := range map[string]string{damaged: "not a valid kubeconfig", locked: locked + ".lock"} {
		before := read(t, path)
		_, err := pki.MergeKubeconfig(path, entry(t, "stoa"), pki.CurrentIfNone)
		if !errors.Is(err, pki.ErrKubeconfig) || !strings.Contains(err.Error(), text) ||
			!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("got %v", err)
		}
		if read(t, path) != before {
			t.Errorf("%s was changed", path)
		}
	}
}

// TestMergeSeveral sets the environment, so it is not parallel.
func TestMergeSeveral(t *testing.T) {
	dir := t.TempDir()
	missing, first, second := filepath.Join(dir, "missing"), filepath.Join(dir, "first"), filepath.Join(dir, "second")
	write(t, first, existing, 0o600)
	write(t, second, strings.ReplaceAll(existing, "work", "stoa"), 0o600)
	t.Setenv("KUBECONFIG", strings.Join([]string{missing, first, second}, string(os.PathListSeparator)))

	target, err := pki.MergeKubeconfig("", entry(t, "stoa"), pki.CurrentAlways)
	if err != nil || target != second {
		t.Fatal(target, err)
	}
	if got := load(t, first); got.CurrentContext != "stoa" || got.Clusters["stoa"] != nil {
		t.Errorf("first file:\n%s", read(t, first))
	}
	target, err = pki.MergeKubeconfig("", entry(t, "new"), pki.CurrentIfNone)
	if err != nil || target != first {
		t.Errorf("new entry in %q: %v", target, err)
	}
	merged, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil || merged.CurrentContext != "stoa" || len(merged.Clusters) != 3 ||
		merged.Clusters["stoa"].Server != "https://127.0.0.1:6443" {
		t.Errorf("together: %v %v", merged, err)
	}
}
