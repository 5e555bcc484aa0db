// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"

	"github.com/stoa-project/stoa/authn/serviceaccount"
	"github.com/stoa-project/stoa/registry/kind"
)

// TestRemembered has tokens that were good a moment ago. What is not good any more is
// refused at once.
func TestRemembered(t *testing.T) {
	t.Parallel()
	gone := func(names ...string) func(*fixture) {
		return func(f *fixture) {
			for _, name := range names {
				delete(f.accounts, name)
				delete(f.pods, name)
				delete(f.secrets, name)
				delete(f.nodes, name)
			}
		}
	}
	short := func(c *kind.TokenClaims) { c.Seconds = 5 }
	for name, tc := range map[string]struct {
		claims    func(*kind.TokenClaims)
		change    func(*fixture)
		later     time.Duration
		audiences authenticator.Audiences
		want      string
	}{
		"nothing":         {},
		"a second later":  {later: time.Second},
		"much later":      {later: 11 * time.Second},
		"account gone":    {change: gone("clerk"), want: `serviceaccounts "clerk" not found`},
		"account again":   {change: func(f *fixture) { f.accounts["clerk"].UID = "another" }, want: "service account UID (another) does not match claim (uid-of-clerk)"},
		"pod gone":        {claims: toPod, change: gone("till"), want: "service account token has been invalidated"},
		"secret gone":     {claims: toSecret, change: gone("drawer"), want: "service account token has been invalidated"},
		"node gone":       {claims: toNode, change: gone("worker"), want: "service account token has been invalidated"},
		"expired":         {claims: short, later: 66 * time.Second, want: "service account token has expired"},
		"before its time": {later: -61 * time.Second, want: "service account token is not valid yet"},
		"for others":      {audiences: authenticator.Audiences{"vault"}, want: `token audiences ["https://kubernetes.default.svc"] is invalid for the target audiences ["vault"]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			known := serviceaccount.New(f.Config)
			token := issue(t, "", tc.claims)
			for range 2 {
				if _, ok, err := known.AuthenticateToken(t.Context(), token); !ok || err != nil {
					t.Fatalf("before: %t, %v", ok, err)
				}
			}
			if tc.change != nil {
				tc.change(f)
			}
			f.clock.SetTime(start().Add(tc.later))
			ctx := t.Context()
			if tc.audiences != nil {
				ctx = authenticator.WithAudiences(ctx, tc.audiences)
			}
			_, ok, err := known.AuthenticateToken(ctx, token)
			if ok != (tc.want == "") || text(err) != tc.want {
				t.Errorf("accepted: %t, error %v, want %q", ok, err, tc.want)
			}
			// One that is nearly the same is another one.
			if _, ok, _ := known.AuthenticateToken(t.Context(), token[:strings.LastIndex(token, ".")+1]+strings.Repeat("A", 86)); ok {
				t.Error("the claims of a token that was good are believed under another signature")
			}
		})
	}
}

// TestVerifiedOnce sees by what is allocated that a signature is not looked at again, but
// for tokens that are too long to be remembered.
func TestVerifiedOnce(t *testing.T) { //nolint:paralleltest // others' allocations would count
	f := newFixture(t)
	for name, tc := range map[string]struct {
		claims func(*kind.TokenClaims)
		once   bool
	}{
		"short": {nil, true},
		"long":  {func(c *kind.TokenClaims) { c.Audiences = append(c.Audiences, strings.Repeat("x", 4096)) }, false},
	} {
		known, token := serviceaccount.New(f.Config), issue(t, "", tc.claims)
		ask := func(method authenticator.Token) func() {
			return func() {
				if _, ok, err := method.AuthenticateToken(t.Context(), token); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
		}
		anew := testing.AllocsPerRun(10, func() { ask(serviceaccount.New(f.Config))() })
		again := testing.AllocsPerRun(10, ask(known))
		if (again < anew/2) != tc.once {
			t.Errorf("%s: %f allocations at first, %f then", name, anew, again)
		}
	}
}

// BenchmarkAuthenticate verifies a token that nobody has seen, and one that was there a
// moment ago.
func BenchmarkAuthenticate(b *testing.B) {
	for _, key := range []string{"", "RSA"} {
		f := newFixture(b)
		keys, err := serviceaccount.NewKeys(testKeys()[key])
		if err != nil {
			b.Fatal(err)
		}
		f.Keys = keys
		token := issue(b, key, toPod)
		known := serviceaccount.New(f.Config)
		for name, method := range map[string]func() authenticator.Token{
			"anew":  func() authenticator.Token { return serviceaccount.New(f.Config) },
			"again": func() authenticator.Token { return known },
		} {
			b.Run("key="+map[string]string{"": "ECDSA", "RSA": "RSA"}[key]+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, ok, err := method().AuthenticateToken(b.Context(), token); !ok || err != nil {
						b.Fatal(ok, err)
					}
				}
			})
		}
	}
}
