// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

// authority is a CA of a test.
func authority(t *testing.T) *pki.CA {
	t.Helper()
	ca, err := (pki.Store{}).EnsureCA(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// showAs writes a certificate for a host and its key, over those that are there.
func showAs(t *testing.T, ca *pki.CA, base, host string) (certFile, keyFile string) {
	t.Helper()
	pair, err := ca.EnsureServing(t.Context(), host, pki.Serving{Hosts: []string{host}})
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = base+".crt", base+".key"
	for file, content := range map[string][]byte{keyFile: pair.KeyPEM, certFile: pair.CertPEM} {
		if err := errors.Join(os.WriteFile(file+".next", content, 0o600), os.Rename(file+".next", file)); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// shake shakes hands with a server and returns what was agreed on.
func shake(t *testing.T, server *stoatest.Server, config *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	config.InsecureSkipVerify = config.RootCAs == nil
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.URL(), "https://"))
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState(), nil
}

// TestServingCertificates shows the certificate that a client asks for by name, and a new
// one when its file changes.
func TestServingCertificates(t *testing.T) {
	t.Parallel()
	dir, ca := t.TempDir(), authority(t)
	certFile, keyFile := showAs(t, ca, filepath.Join(dir, "first"), "first.example.com")
	sniCert, sniKey := showAs(t, ca, filepath.Join(dir, "second"), "second.example.com")
	wild, wildKey := showAs(t, ca, filepath.Join(dir, "wild"), "third.example.com")
	server := stoatest.Start(t, stoatest.WithFlags("--tls-cert-file="+certFile, "--tls-private-key-file="+keyFile,
		"--tls-sni-cert-key="+sniCert+","+sniKey, "--tls-sni-cert-key="+wild+","+wildKey+":*.wild.example.com"))
	shows := func(name string) string {
		t.Helper()
		state, err := shake(t, server, &tls.Config{ServerName: name})
		if err != nil {
			return err.Error()
		}
		for _, host := range state.PeerCertificates[0].DNSNames {
			if strings.HasSuffix(host, ".example.com") { // others are in every certificate
				return host
			}
		}
		return ""
	}
	for name, want := range map[string]string{
		"": "first.example.com", "first.example.com": "first.example.com", "unknown.example.com": "first.example.com",
		"second.example.com": "second.example.com", "any.wild.example.com": "third.example.com",
	} {
		if got := shows(name); got != want {
			t.Errorf("%q is shown %s, want %s", name, got, want)
		}
	}
	showAs(t, ca, filepath.Join(dir, "first"), "fourth.example.com")
	showAs(t, ca, filepath.Join(dir, "second"), "fifth.example.com")
	for name, want := range map[string]string{"first.example.com": "fourth.example.com", "fifth.example.com": "fifth.example.com"} {
		eventually(t, func() string { return cmp.Diff(want, shows(name)) })
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CertPEM())
	if _, err := shake(t, server, &tls.Config{ServerName: "fourth.example.com", RootCAs: pool}); err != nil {
		t.Error(err)
	}
	// A damaged file changes nothing, and its repair does.
	if err := os.WriteFile(certFile, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shows("x"); got != "fourth.example.com" {
		t.Errorf("shown %s after the file was damaged", got)
	}
	showAs(t, ca, filepath.Join(dir, "first"), "sixth.example.com")
	eventually(t, func() string { return cmp.Diff("sixth.example.com", shows("x")) })
}

// TestClientCAFile believes the authorities that are in the file now.
func TestClientCAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "clients.crt")
	old, renewed := authority(t), authority(t)
	write := func(ca *pki.CA) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file+".next", ca.CertPEM(), 0o600), os.Rename(file+".next", file)); err != nil {
			t.Fatal(err)
		}
	}
	write(old)
	server := stoatest.Start(t, stoatest.WithFlags("--client-ca-file="+file))
	code := func(ca *pki.CA) int {
		t.Helper()
		pair, err := ca.EnsureClient(t.Context(), "root", pki.Client{User: "root", Groups: []string{"system:masters"}})
		if err != nil {
			t.Fatal(err)
		}
		config := rest.AnonymousClientConfig(server.Config())
		config.CertData, config.KeyData = pair.CertPEM, pair.KeyPEM
		return do(t, request{path: "/api/v1/namespaces", config: config}).code
	}
	if before, after := code(old), code(renewed); before != 200 || after != 401 {
		t.Errorf("at first: %d and %d", before, after)
	}
	write(renewed)
	eventually(t, func() string {
		if code(renewed) != 200 {
			return "the new authority is not believed"
		}
		return ""
	})
	if got := code(old); got != 401 {
		t.Errorf("the old authority: %d, want 401", got)
	}
}

// TestTLSLimits agrees on no less than the flags say.
func TestTLSLimits(t *testing.T) {
	t.Parallel()
	const suite, other = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	strict := stoatest.Start(t, stoatest.WithFlags("--tls-min-version=VersionTLS13"))
	chosen := stoatest.Start(t, stoatest.WithFlags("--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"))
	for name, tc := range map[string]struct {
		server *stoatest.Server
		client *tls.Config
		err    string
	}{
		"default, 1.1":      {api, &tls.Config{MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}, "remote error: tls: protocol version not supported"},
		"default, 1.2":      {api, &tls.Config{MaxVersion: tls.VersionTLS12}, ""},
		"1.3, 1.2":          {strict, &tls.Config{MaxVersion: tls.VersionTLS12}, "remote error: tls: protocol version not supported"},
		"1.3, 1.3":          {strict, &tls.Config{}, ""},
		"a suite":           {chosen, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite, other}}, ""},
		"not the one asked": {chosen, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{other}}, "remote error: tls: handshake failure"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, err := shake(t, tc.server, tc.client)
			if text(err) != tc.err {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if tc.client.CipherSuites != nil && err == nil && state.CipherSuite != suite {
				t.Errorf("agreed on %s", tls.CipherSuiteName(state.CipherSuite))
			}
		})
	}
}

// TestTransportHeaders tells browsers what the flags say, and nothing else.
func TestTransportHeaders(t *testing.T) {
	t.Parallel()
	flagged := stoatest.Start(t, stoatest.WithFlags("--strict-transport-security-directives=max-age=31536000,includeSubDomains",
		`--cors-allowed-origins=^https://good\.example\.com$`))
	const origin, security = "Access-Control-Allow-Origin", "Strict-Transport-Security"
	for name, tc := range map[string]struct {
		server         *stoatest.Server
		method, origin string
		code           int
		cors, hsts     string
	}{
		"off":       {api, "GET", "https://good.example.com", 200, "", ""},
		"same":      {flagged, "GET", "", 200, "", "max-age=31536000; includeSubDomains"},
		"allowed":   {flagged, "GET", "https://good.example.com", 200, "https://good.example.com", "max-age=31536000; includeSubDomains"},
		"preflight": {flagged, "OPTIONS", "https://good.example.com", 204, "https://good.example.com", "max-age=31536000; includeSubDomains"},
		"other":     {flagged, "GET", "https://good.example.com.evil", 200, "", "max-age=31536000; includeSubDomains"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := map[string]string{}
			if tc.origin != "" {
				headers["Origin"] = tc.origin
			}
			got := do(t, request{method: tc.method, path: "/version", header: headers, config: tc.server.Config()})
			if got.code != tc.code || got.header.Get(origin) != tc.cors || got.header.Get(security) != tc.hsts {
				t.Errorf("%d, %s %q, %s %q", got.code, origin, got.header.Get(origin), security, got.header.Get(security))
			}
			if tc.method == http.MethodOptions && got.header.Get("Access-Control-Allow-Methods") == "" {
				t.Error("no methods are allowed")
			}
		})
	}
}

// TestTransportErrors names the flag, and the file if one is at fault.
func TestTransportErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := showAs(t, authority(t), filepath.Join(dir, "a"), "a.example.com")
	otherFile, _ := showAs(t, authority(t), filepath.Join(dir, "b"), "b.example.com")
	for flag, want := range map[string]string{
		"--tls-min-version=VersionTLS9":                     `--tls-min-version: unknown tls version "VersionTLS9"`,
		"--tls-cipher-suites=TLS_NONE":                      "--tls-cipher-suites: Cipher suite TLS_NONE not supported or doesn't exist",
		"--tls-sni-cert-key=/nosuch.crt," + keyFile:         "--tls-sni-cert-key: /nosuch.crt and " + keyFile + ": open /nosuch.crt: no such file or directory",
		"--tls-sni-cert-key=" + otherFile + "," + keyFile:   "--tls-sni-cert-key: " + otherFile + " and " + keyFile + ": tls: private key does not match public key",
		"--strict-transport-security-directives=max-ages=1": "--strict-transport-security-directives invalid, allowed values: max-age=expireTime, includeSubDomains, preload.",
		"--cors-allowed-origins=[":                          "--cors-allowed-origins has an invalid regular expression: error parsing regexp: missing closing ]: `[`",
		"--client-ca-file=/nosuch.crt":                      "--client-ca-file: open /nosuch.crt: no such file or directory",
		"--client-ca-file=" + keyFile:                       "--client-ca-file: error reading " + keyFile + ": data does not contain any valid RSA or ECDSA certificates",
		"--tls-cert-file=" + certFile:                       "--tls-cert-file must be set together with --tls-private-key-file",
	} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			err := startError(t, flag)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}
