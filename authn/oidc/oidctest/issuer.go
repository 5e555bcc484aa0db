// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package oidctest is an issuer of OpenID Connect tokens for tests: an HTTPS server with
// the discovery document and the keys, and what signs.
package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// keyBits is the size of RSA keys, the smallest that is in use.
const keyBits = 2048

// Issuer is a running issuer.
type Issuer struct {
	// URL is its name.
	URL string
	// CA is the certificate of who vouches for the server, as PEM.
	CA string

	mu     sync.Mutex
	key    *rsa.PrivateKey
	keyID  int
	broken bool
	held   chan struct{} // nil unless answers wait
	calls  map[string]int
}

// Start runs an issuer until the test is over.
func Start(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{calls: map[string]int{}}
	i.Rotate(tb)
	server := httptest.NewTLSServer(i)
	tb.Cleanup(server.Close)
	i.URL = server.URL
	i.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return i
}

// Rotate signs with another key from now on. The one before is not published any more.
func (i *Issuer) Rotate(tb testing.TB) {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		tb.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.keyID = key, i.keyID+1
}

// Break answers nothing but errors from now on, or mends that.
func (i *Issuer) Break(broken bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = broken
}

// Hold lets requests wait for their answers until the result is called.
func (i *Issuer) Hold() (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	held := make(chan struct{})
	i.held = held
	return func() { close(held) }
}

// Calls is how often a path was asked for.
func (i *Issuer) Calls(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[path]
}

// Key is the one that signs, and its ID.
func (i *Issuer) Key() (*rsa.PrivateKey, string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.key, fmt.Sprintf("key-%d", i.keyID)
}

// Claims are those of a token for alice that is for the audience "stoa" and good for an
// hour, with what change has in their place; nil leaves one out.
func (i *Issuer) Claims(change map[string]any) map[string]any {
	now := time.Now()
	out := map[string]any{"iss": i.URL, "sub": "alice", "aud": "stoa", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(out, change)
	maps.DeleteFunc(out, func(_ string, value any) bool { return value == nil })
	return out
}

// Token signs such claims.
func (i *Issuer) Token(tb testing.TB, change map[string]any) string {
	tb.Helper()
	key, id := i.Key()
	return Sign(tb, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, i.Claims(change))
}

// Sign signs claims with any key.
func Sign(tb testing.TB, key jose.SigningKey, claims map[string]any) string {
	tb.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		tb.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// ServeHTTP implements http.Handler.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, id := i.Key()
	i.mu.Lock()
	i.calls[r.URL.Path]++
	broken, held := i.broken, i.held
	i.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}
	var answer any
	switch {
	case broken:
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	case r.URL.Path == "/.well-known/openid-configuration" || r.URL.Path == "/elsewhere":
		answer = map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		}
	case r.URL.Path == "/keys":
		answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: id, Algorithm: "RS256", Use: "sig"}}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(http.ErrAbortHandler)
	}
}
