// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package unverified_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stoa-project/stoa/authn/unverified"
)

func token(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]struct {
		token string
		want  unverified.Claims
		ok    bool
	}{
		"both":             {token(`{"iss":"i","exp":1700000000}`), unverified.Claims{Issuer: "i", Expiry: time.Unix(1_700_000_000, 0)}, true},
		"fraction":         {token(`{"exp":1700000000.9}`), unverified.Claims{Expiry: time.Unix(1_700_000_000, 0)}, true},
		"nothing":          {token(`{}`), unverified.Claims{}, true},
		"far future":       {token(`{"iss":"i","exp":1e300}`), unverified.Claims{Issuer: "i"}, true},
		"negative":         {token(`{"exp":-5}`), unverified.Claims{}, true},
		"twice":            {token(`{"iss":"a","iss":"b"}`), unverified.Claims{Issuer: "b"}, true},
		"issuer no string": {token(`{"iss":["a"]}`), unverified.Claims{}, false},
		"expiry no number": {token(`{"iss":"a","exp":{}}`), unverified.Claims{}, false},
		"no object":        {token(`[]`), unverified.Claims{}, false},
		"no JSON":          {token(`x`), unverified.Claims{}, false},
		"no base64":        {"a.!.b", unverified.Claims{}, false},
		"two parts":        {"a.b", unverified.Claims{}, false},
		"four parts":       {token(`{}`) + ".x", unverified.Claims{}, false},
		"empty":            {"", unverified.Claims{}, false},
		"long":             {token(`{"iss":"` + strings.Repeat("x", unverified.MaxToken) + `"}`), unverified.Claims{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := unverified.Read(in.token)
			if diff := cmp.Diff(in.want, got); diff != "" || ok != in.ok {
				t.Errorf("ok %t, claims (-want +got):\n%s", ok, diff)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, payload := range []string{`{"iss":"i","exp":1700000000}`, `{"exp":"1"}`, `{"iss":null}`, "\xff", ""} {
		f.Add(token(payload))
	}
	f.Fuzz(func(t *testing.T, in string) {
		claims, ok := unverified.Read(in)
		if !ok && (claims.Issuer != "" || !claims.Expiry.IsZero()) {
			t.Errorf("claims of what is no token: %+v", claims)
		}
		if ok && strings.Count(in, ".") != 2 {
			t.Errorf("%q is a token", in)
		}
	})
}
