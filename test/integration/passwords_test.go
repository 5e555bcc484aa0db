// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/authn/password"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// passwordLine is a line of a password file.
func passwordLine(t *testing.T, secret, rest string) string {
	t.Helper()
	hash, err := password.Hash([]byte(secret), password.Argon2id)
	if err != nil {
		t.Fatal(err)
	}
	return `"` + hash + `",` + rest + "\n"
}

func withPassword(user, secret string) func(*rest.Config) {
	return func(c *rest.Config) { c.Username, c.Password = user, secret }
}

// TestPasswordFile lets users in by their passwords, and follows the file.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "users.csv", passwordLine(t, "wonderland", `alice,uid-1,"dev,ops"`)+passwordLine(t, "builder:1", `bob,uid-2`))
	server := stoatest.Start(t, stoatest.WithFlags("--basic-auth-file="+path))
	alice := authenticationv1.UserInfo{Username: "alice", UID: "uid-1", Groups: []string{"dev", "ops", "system:authenticated"}}
	bob := authenticationv1.UserInfo{Username: "bob", UID: "uid-2", Groups: []string{"system:authenticated"}}
	nobody := authenticationv1.UserInfo{}
	t.Run("start", func(t *testing.T) {
		for name, in := range map[string]struct {
			user, password string
			want           authenticationv1.UserInfo
		}{
			"right":          {"alice", "wonderland", alice},
			"colon":          {"bob", "builder:1", bob},
			"wrong password": {"alice", "builder:1", nobody},
			"empty password": {"alice", "", nobody},
			"unknown user":   {"carol", "wonderland", nobody},
			"empty user":     {"", "wonderland", nobody},
			"not UTF-8":      {"alice", "wonder\xffland", nobody},
			"oversized":      {"alice", strings.Repeat("x", 100_000), nobody},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				// By hand: a client leaves out what is empty.
				header := "Basic " + base64.StdEncoding.EncodeToString([]byte(in.user+":"+in.password))
				got := do(t, request{method: "POST", path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", config: stranger(server, func(*rest.Config) {}),
					header: map[string]string{"Authorization": header, "X-Remote-User": "root", "X-Remote-Group": "system:masters"},
					body:   []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)})
				if in.want.Username != "" && got.code != 201 || in.want.Username == "" && got.code != 401 {
					t.Errorf("%d %s", got.code, got.body)
				}
				if in.want.Username != "" {
					wantUser(t, name, stranger(server, withPassword(in.user, in.password)), in.want)
				}
			})
		}
	})
	t.Run("change", func(t *testing.T) { // after the others, because it changes the file
		if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantUser(t, "a broken file", stranger(server, withPassword("alice", "wonderland")), alice)
		if err := os.WriteFile(path, []byte(passwordLine(t, "looking-glass", `alice,uid-1,"dev,ops"`)), 0o600); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() string {
			if _, err := whois(t, stranger(server, withPassword("alice", "looking-glass"))); err != nil {
				return "the new password is refused: " + err.Error()
			}
			return ""
		})
		wantUser(t, "the old password", stranger(server, withPassword("alice", "wonderland")), nobody)
		wantUser(t, "a user who is gone", stranger(server, withPassword("bob", "builder:1")), nobody)
	})
}

// TestPasswordsOff takes no passwords unless it is told to.
func TestPasswordsOff(t *testing.T) {
	t.Parallel()
	// As in kube-apiserver, credentials that no method looks at are none.
	got := do(t, request{path: "/api/v1/namespaces", config: stranger(api, withPassword("alice", "wonderland"))})
	want := `namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope`
	if message := got.status(t).Message; message != want {
		t.Errorf("%s, want %s", message, want)
	}
}

// TestPasswordFileErrors names the flag, the file and the line, and not the password.
func TestPasswordFileErrors(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "users.csv", passwordLine(t, "x", "alice,1")+"wonderland,bob,2\n")
	for name, in := range map[string]struct {
		change func(*server.AuthenticationOptions)
		err    string
	}{
		"plain text": {
			func(o *server.AuthenticationOptions) { o.PasswordFile = path },
			"--basic-auth-file: " + path + ": line 2: the password, in column 1, is not a bcrypt or argon2id hash; make one with stoa hash-password, or set --basic-auth-allow-plain-text",
		},
		"missing": {
			func(o *server.AuthenticationOptions) { o.PasswordFile = path + "x" },
			"--basic-auth-file: open " + path + "x: no such file or directory",
		},
		"nothing to allow": {
			func(o *server.AuthenticationOptions) { o.Passwords.AllowPlainText = true },
			"--basic-auth-allow-plain-text needs --basic-auth-file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := server.NewOptions()
			options.DataDir = t.TempDir()
			in.change(options.Authentication)
			completed, err := options.Complete(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err = server.New(t.Context(), completed); text(err) != in.err {
				t.Errorf("error %v, want %s", err, in.err)
			}
		})
	}
	plain := secretFile(t, "plain.csv", "wonderland,alice,\n")
	server := stoatest.Start(t, stoatest.WithFlags("--basic-auth-file="+plain, "--basic-auth-allow-plain-text"))
	wantUser(t, "plain text", stranger(server, withPassword("alice", "wonderland")),
		authenticationv1.UserInfo{Username: "alice", Groups: []string{"system:authenticated"}})
}
