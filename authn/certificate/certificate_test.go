// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/tls"
	stdx509 "crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/request/x509"
	testclock "k8s.io/utils/clock/testing"

	"github.com/stoa-project/stoa/server/pki"
)

// fixture is an authenticator whose CAs and clock can be changed.
type fixture struct {
	*Authenticator
	clock *testclock.FakeClock
	roots *stdx509.CertPool
}

func newFixture(t *testing.T, ca *pki.CA) *fixture {
	t.Helper()
	f := &fixture{clock: testclock.NewFakeClock(time.Now()), roots: pool(ca)}
	f.Authenticator = New(func() (stdx509.VerifyOptions, bool) {
		options := x509.DefaultVerifyOptions()
		options.Roots, options.CurrentTime = f.roots, f.clock.Now()
		return options, f.roots != nil
	})
	f.Authenticator.clock = f.clock
	return f
}

func newCA(t *testing.T) *pki.CA {
	t.Helper()
	ca, err := pki.Store{}.EnsureCA(t.Context(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func pool(ca *pki.CA) *stdx509.CertPool {
	pool := stdx509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CertPEM())
	return pool
}

func client(t *testing.T, ca *pki.CA, user string) *stdx509.Certificate {
	t.Helper()
	pair, err := ca.EnsureClient(t.Context(), "client", pki.Client{User: user, Groups: []string{"dev", "ops"}, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// user authenticates and returns who it is, empty if nobody.
func (f *fixture) user(chain ...*stdx509.Certificate) (name string, groups []string, err error) {
	req := httptest.NewRequest("GET", "/", nil)
	req.TLS = &tls.ConnectionState{PeerCertificates: chain}
	response, ok, err := f.AuthenticateRequest(req)
	if !ok || err != nil {
		return "", nil, err
	}
	return response.User.GetName(), response.User.GetGroups(), nil
}

func TestAuthenticateRequest(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	f := newFixture(t, ca)
	alice, bob := client(t, ca, "alice"), client(t, ca, "bob")
	for range 2 { // the second time from memory
		for cert, want := range map[*stdx509.Certificate]string{alice: "alice", bob: "bob"} {
			name, groups, err := f.user(cert)
			if name != want || err != nil {
				t.Errorf("user is %q, %v, want %q", name, err, want)
			}
			if diff := cmp.Diff([]string{"dev", "ops", "system:authenticated"}, groups); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		}
	}
	if f.verified.Len() != 2 {
		t.Errorf("%d certificates are remembered, want 2", f.verified.Len())
	}
	if name, _, err := f.user(); name != "" || err != nil {
		t.Errorf("a request without a certificate is %q, %v", name, err)
	}
	if name, _, err := f.user(client(t, newCA(t), "alice")); name != "" || err == nil {
		t.Errorf("a certificate of another CA is %q, %v", name, err)
	}
}

func TestMemoryEnds(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	block, _ := pem.Decode(ca.CertPEM())
	authority, err := stdx509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*fixture)
		want   string
	}{
		"nothing changes":         {func(*fixture) {}, "alice"},
		"the certificate expires": {func(f *fixture) { f.clock.Step(2 * time.Hour) }, ""},
		"the CAs are replaced":    {func(f *fixture) { f.roots = pool(newCA(t)) }, ""},
		"the CAs are gone":        {func(f *fixture) { f.roots = nil }, ""},
		"a minute is over":        {func(f *fixture) { f.clock.Step(2 * time.Minute) }, "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, ca)
			cert := client(t, ca, "alice")
			if got, _, err := f.user(cert); got != "alice" {
				t.Fatalf("user is %q, %v", got, err)
			}
			test.change(f)
			if got, _, _ := f.user(cert); got != test.want {
				t.Errorf("user is %q, want %q", got, test.want)
			}
			if got, _, _ := f.user(cert, authority); got != test.want {
				t.Errorf("user with the CA in the chain is %q, want %q", got, test.want)
			}
		})
	}
}
