// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/pki"
)

func TestTokenOptions(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	if _, err := (pki.Store{Dir: keys}).EnsureKey(t.Context(), "sa"); err != nil {
		t.Fatal(err)
	}
	private, public, damaged := filepath.Join(keys, "sa.key"), filepath.Join(keys, "sa.pub"), filepath.Join(keys, "damaged")
	if err := os.WriteFile(damaged, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ flags, want string }{
		"nothing":      {"", ""},
		"all":          {"--service-account-issuer=https://a --service-account-issuer=b --api-audiences=c,d --service-account-signing-key-file=" + private + " --service-account-key-file=" + public + " --service-account-key-file=" + private, ""},
		"empty issuer": {"--service-account-issuer=", "service-account-issuer should not be an empty string"},
		"same issuer":  {"--service-account-issuer=a --service-account-issuer=a", `service-account-issuer "a" is already specified`},
		"bad issuer":   {"--service-account-issuer=https://%", `service-account-issuer "https://%" contained a ':' but was not a valid URL: parse "https://%": invalid URL escape "%"`},
		"no key":       {"--service-account-key-file=/nosuch", "failed to parse service-account-key-file: open /nosuch: no such file or directory"},
		"damaged key":  {"--service-account-signing-key-file=" + damaged, "failed to parse service-account-signing-key-file: error reading private key file DAMAGED: data does not contain a valid RSA or ECDSA private key"},
		"public key":   {"--service-account-signing-key-file=" + public, "failed to parse service-account-signing-key-file: error reading private key file PUBLIC: data does not contain a valid RSA or ECDSA private key"},
		"keys by HTTP": {"--service-account-jwks-uri=http://a", "service-account-jwks-uri requires https scheme, parsed as: http://a"},
		"short":        {"--service-account-max-token-expiration=59m", "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds"},
		"an hour":      {"--service-account-max-token-expiration=1h", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := server.NewOptions()
			o.DataDir = ""
			if err := o.Flags().Parse(strings.Fields(tc.flags)); err != nil {
				t.Fatal(err)
			}
			completed, err := o.Complete(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := completed.Validate(); err != nil {
				got = strings.NewReplacer(damaged, "DAMAGED", public, "PUBLIC").Replace(err.Error())
			}
			if got != tc.want {
				t.Errorf("error %q, want %q", got, tc.want)
			}
		})
	}
}
