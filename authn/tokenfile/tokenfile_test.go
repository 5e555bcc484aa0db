// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tokenfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/tokenfile"
)

func write(t *testing.T, data string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.csv")
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNew(t *testing.T) {
	t.Parallel()
	path := write(t, "token-a,alice,1,\"dev,ops\"\n,nobody,2\ntoken-b,bob,3\ntoken-b,ben,4\n", 0o640)
	tokens, warnings, err := tokenfile.New(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"others than its owner may read or change it (mode 0640)",
		"line 2 has an empty token, and lets nobody in",
		"line 4 has the token of line 3, which lets nobody in any more",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for token, want := range map[string]user.Info{
		"token-a": &user.DefaultInfo{Name: "alice", UID: "1", Groups: []string{"dev", "ops"}},
		"token-b": &user.DefaultInfo{Name: "ben", UID: "4"},
		"":        nil,
		"token-":  nil,
		"TOKEN-A": nil,
	} {
		response, ok, err := tokens.AuthenticateToken(t.Context(), token)
		if err != nil || ok != (want != nil) {
			t.Errorf("token %q: %t, %v", token, ok, err)
			continue
		}
		if ok {
			if diff := cmp.Diff(want, response.User); diff != "" {
				t.Errorf("token %q (-want +got):\n%s", token, diff)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	path := write(t, "token-a,alice,1\ntoken-b,bob\n", 0o600)
	want := path + ": line 2: must have at least 3 columns (secret, user name, user UID), has 2"
	if _, _, err := tokenfile.New(path); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, _, err := tokenfile.New(path + "x"); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
}
