// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

// TestAggregationTrust changes the files of authorities while the server runs. What
// it tells aggregated servers follows, and keeps what another server told them.
func TestAggregationTrust(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clients, proxies := filepath.Join(dir, "clients.crt"), filepath.Join(dir, "proxies.crt")
	old := map[string]string{clients: newAuthority(t, clients), proxies: newAuthority(t, proxies)}
	server := stoatest.Start(t, stoatest.WithFlags("--client-ca-file="+clients,
		"--requestheader-client-ca-file="+proxies, "--requestheader-allowed-names=gate"))
	maps := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().ConfigMaps("kube-system")
	told := func() map[string]string {
		t.Helper()
		got, err := maps.Get(t.Context(), "extension-apiserver-authentication", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return got.Data
	}
	// Another server, in front of which other proxies are.
	patch := `{"data":{"requestheader-allowed-names":"[\"other\"]","requestheader-uid-headers":"[\"X-Other-Uid\"]"}}`
	if _, err := maps.Patch(t.Context(), "extension-apiserver-authentication", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{clients: "client-ca-file", proxies: "requestheader-client-ca-file"}
	for file, key := range keys {
		renewed := newAuthority(t, file)
		eventually(t, func() string {
			if !strings.Contains(told()[key], renewed) {
				return key + " has not the new authority"
			}
			return ""
		})
		if !strings.Contains(told()[key], old[file]) {
			t.Errorf("%s has not the old authority any more", key)
		}
	}
	for key, want := range map[string]string{
		"requestheader-allowed-names":    `["other","gate","front-proxy-client"]`,
		"requestheader-uid-headers":      `["X-Other-Uid","X-Remote-Uid"]`,
		"requestheader-username-headers": `["X-Remote-User"]`,
	} {
		if diff := cmp.Diff(want, told()[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// newAuthority replaces a file by the certificate of a new authority, in one step.
func newAuthority(t *testing.T, file string) string {
	t.Helper()
	ca, err := (pki.Store{}).EnsureCA(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", ca.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	return string(ca.CertPEM())
}
