// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// secretFile writes a file as its owner alone may read it.
func secretFile(t *testing.T, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// stranger is a client of a server that shows nothing but what show adds.
func stranger(server *stoatest.Server, show func(*rest.Config)) *rest.Config {
	config := rest.AnonymousClientConfig(server.Config())
	config.QPS = -1
	show(config)
	return config
}

// whois asks the server who a client is.
func whois(t *testing.T, config *rest.Config) (authenticationv1.UserInfo, error) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	review.Status.UserInfo.Extra = nil // the fingerprint of a certificate
	return review.Status.UserInfo, nil
}

// wantUser fails the test unless a client is a user. An empty user is refused.
func wantUser(t *testing.T, what string, config *rest.Config, want authenticationv1.UserInfo) {
	t.Helper()
	got, err := whois(t, config)
	if want.Username == "" {
		if text(err) != "Unauthorized" {
			t.Errorf("%s: %+v, %v, want Unauthorized", what, got, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestTokenFile believes the tokens of the file, and no others.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "tokens.csv", "s3cr3t-a,alice,uid-1,\"dev,ops\"\ns3cr3t-b,bob,uid-2\ns3cr3t-root,root,,system:masters\n")
	server := stoatest.Start(t, stoatest.WithFlags("--token-auth-file="+path))
	for name, in := range map[string]struct {
		token string
		want  authenticationv1.UserInfo
	}{
		"groups":    {"s3cr3t-a", authenticationv1.UserInfo{Username: "alice", UID: "uid-1", Groups: []string{"dev", "ops", "system:authenticated"}}},
		"no groups": {"s3cr3t-b", authenticationv1.UserInfo{Username: "bob", UID: "uid-2", Groups: []string{"system:authenticated"}}},
		"unknown":   {"s3cr3t-c", authenticationv1.UserInfo{}},
		"prefix":    {"s3cr3t", authenticationv1.UserInfo{}},
		"user name": {"alice", authenticationv1.UserInfo{}},
		"long":      {strings.Repeat("x", 100_000), authenticationv1.UserInfo{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantUser(t, in.token[:min(len(in.token), 20)], stranger(server, func(c *rest.Config) { c.BearerToken = in.token }), in.want)
		})
	}
	root := stranger(server, func(c *rest.Config) { c.BearerToken = "s3cr3t-root" })
	if _, err := kubernetes.NewForConfigOrDie(root).CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("a master: %v", err)
	}
	// Headers of a proxy come from one with its certificate, or from nobody.
	got := do(t, request{path: "/api/v1/namespaces", config: stranger(server, func(c *rest.Config) { c.BearerToken = "s3cr3t-b" }),
		header: map[string]string{"X-Remote-User": "root", "X-Remote-Group": "system:masters"}})
	want := `namespaces is forbidden: User "bob" cannot list resource "namespaces" in API group "" at the cluster scope`
	if message := got.status(t).Message; message != want {
		t.Errorf("with headers of a proxy: %s, want %s", message, want)
	}
}

// TestTokenFileErrors names the flag, the file and the line, and not the token.
func TestTokenFileErrors(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "tokens.csv", "s3cr3t-a,alice,1\ns3cr3t-b,bob\n")
	options := server.NewOptions()
	options.DataDir = t.TempDir()
	options.Authentication.TokenFile = path
	completed, err := options.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.New(t.Context(), completed)
	if want := "--token-auth-file: " + path + ": line 2: must have at least 3 columns (secret, user name, user UID), has 2"; text(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
