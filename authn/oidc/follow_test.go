// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package oidc_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/stoa-project/stoa/authn/oidc"
	"github.com/stoa-project/stoa/authn/oidc/oidctest"
)

// TestReloadedWhenReady counts a change once the keys of a new issuer are there.
func TestReloadedWhenReady(t *testing.T) {
	t.Parallel()
	issuer := oidctest.Start(t)
	release := issuer.Hold()
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
	config := func(ca string) []byte {
		return []byte(head + "jwt:\n- issuer: {url: " + issuer.URL + ", audiences: [stoa], certificateAuthority: \"" + strings.ReplaceAll(ca, "\n", "\\n") + "\"}\n" +
			"  claimMappings: {username: {claim: sub, prefix: \"x:\"}}\n")
	}
	path := filepath.Join(t.TempDir(), "authentication.yaml")
	before, err := oidc.Parse([]byte(head), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	server := t.Name() + issuer.URL // metrics outlive the test, which may run again
	issuers := oidc.New(oidc.Settings{Server: server})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	if err := issuers.Follow(ctx, "--file", oidc.File{Path: path, Data: []byte(head), Configuration: before}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, config(issuer.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return issuer.Calls("/.well-known/openid-configuration") > 0 })
	released := time.Now()
	release()
	until(t, func() bool { return reloadedAt(t, server) != 0 })
	if at := reloadedAt(t, server); at < float64(released.UnixNano())/float64(time.Second) {
		t.Errorf("a success at %f, before there were keys at %s", at, released)
	}
	if got := ask(t, issuers, issuer.Token(t, nil)); got != "x:alice" {
		t.Errorf("after the success: %s", got)
	}
}

// reloadedAt is when the last change of a server was a success, in seconds; 0 is never.
func reloadedAt(t *testing.T, server string) float64 {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	hash := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(server)))
	for _, family := range families {
		if family.GetName() != "apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if labels["apiserver_id_hash"] == hash && labels["status"] == "success" {
				return metric.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// until waits for a condition.
func until(t *testing.T, done func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, patience, true, func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		t.Fatal(err)
	}
}

// TestChangedWhileDown changes an issuer again and again while it is down. At each moment
// it counts as it was when it had keys.
func TestChangedWhileDown(t *testing.T) {
	t.Parallel()
	const changes, askers = 200, 4
	issuer := oidctest.Start(t)
	issuers := use(t, trust(issuer))
	token := issuer.Token(t, nil)
	await(t, issuers, token, "x:alice")
	issuer.Break(true)
	ended := make(chan struct{})
	others := make(chan string, askers)
	for range askers {
		go func() {
			other := ""
			for {
				select {
				case <-ended:
					others <- other
					return
				default:
				}
				if got := ask(t, issuers, token); got != "x:alice" {
					other = got
				}
			}
		}()
	}
	for n := range changes {
		changed := trust(issuer)
		prefix := fmt.Sprintf("y%d:", n)
		changed.JWT[0].ClaimMappings.Username.Prefix = &prefix
		if err := issuers.Use(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
	}
	close(ended)
	for range askers {
		if other := <-others; other != "" {
			t.Errorf("got %s", other)
		}
	}
}
