// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stoa-project/stoa/server/pki"
)

// TestAuthorities goes through two years in steps of an hour: clients that learn of the
// authorities with half a day's delay trust the server at each step, and so do those
// that have just learned.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	lifetimes := pki.Lifetimes{Authority: 90 * day, Leaf: 30 * day, Overlap: day}
	serving := pki.Serving{Hosts: []string{"stoa.stoa-system.svc"}}
	start := time.Now()
	var authorities pki.Authorities
	var pair *pki.Pair
	var late [12][]byte // bundles of the last half a day
	authoritiesSeen, pairs := map[string]bool{}, 0
	for hour := range 2 * 365 * 24 {
		now := start.Add(time.Duration(hour) * time.Hour)
		var err error
		var changed bool
		if authorities, _, err = authorities.Next(now, "stoa", lifetimes); err != nil {
			t.Fatal(err)
		}
		if pair, changed, err = authorities.Serving(t.Context(), now, pair, serving, lifetimes); err != nil {
			t.Fatal(err)
		}
		if changed {
			pairs++
			authoritiesSeen[pair.Leaf.Issuer.CommonName] = true
		}
		known := late[hour%len(late)]
		late[hour%len(late)] = authorities.Bundle()
		for _, bundle := range [][]byte{known, authorities.Bundle()} {
			if bundle == nil {
				continue
			}
			trusted := x509.NewCertPool()
			trusted.AppendCertsFromPEM(bundle)
			_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: "stoa.stoa-system.svc", Roots: trusted, CurrentTime: now})
			if err != nil {
				t.Fatalf("hour %d: %v", hour, err)
			}
		}
	}
	// A new one every 60 days.
	if len(authoritiesSeen) < 12 || len(authoritiesSeen) > 13 || pairs < 36 || pairs > 50 || len(authorities) > 2 {
		t.Errorf("%d authorities signed %d certificates, %d are trusted at last", len(authoritiesSeen), pairs, len(authorities))
	}
}

// TestParseAuthorities reads what was written, and nothing else.
func TestParseAuthorities(t *testing.T) {
	t.Parallel()
	lifetimes := pki.Lifetimes{Authority: 90 * day, Leaf: 30 * day, Overlap: day}
	one, changed, err := pki.Authorities(nil).Next(time.Now(), "stoa", lifetimes)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	two, changed, err := one.Next(time.Now().Add(70*day), "stoa", lifetimes)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	read, err := pki.ParseAuthorities(two.Bundle(), two.Keys())
	if err != nil || !bytes.Equal(read.Bundle(), two.Bundle()) || !bytes.Equal(read.Keys(), two.Keys()) {
		t.Errorf("read %v, %v", read, err)
	}
	if _, changed, err := read.Next(time.Now().Add(71*day), "stoa", lifetimes); changed || err != nil {
		t.Errorf("changed %t, %v", changed, err)
	}
	if none, err := pki.ParseAuthorities(nil, []byte("\n")); none != nil || err != nil {
		t.Errorf("of nothing: %v, %v", none, err)
	}
	for name, tc := range map[string]struct{ bundle, keys []byte }{
		"no key":      {one.Bundle(), nil},
		"one key":     {two.Bundle(), one.Keys()},
		"another key": {one.Bundle(), two.Keys()[len(one.Keys()):]},
		"no keys":     {one.Bundle(), []byte("secret")},
		"no bundle":   {[]byte("text"), one.Keys()},
		"keys only":   {nil, one.Keys()},
	} {
		if _, err := pki.ParseAuthorities(tc.bundle, tc.keys); !errors.Is(err, pki.ErrCA) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text := fmt.Sprintf("%v %#v", two, two); text != "2 certificate authorities 2 certificate authorities" {
		t.Errorf("printed: %s", text)
	}
}
