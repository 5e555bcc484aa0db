// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Kubelet is a running kubelet. What it answers:
//
//	/containerLogs/…   a line with path, query and the name in the client's certificate;
//	                   with follow=true a second one when the test calls Release
//	/exec/…, /attach/… stdin back on stdout, "stderr" on stderr, and an exit code for
//	                   command=fail
//	/portForward/…     what it receives, in upper case
//	/redirect/…        a redirect to elsewhere
//	anything else      as logs
type Kubelet struct {
	// Host and Port are its address.
	Host string
	Port int32
	// CAFile holds the CA of its certificate.
	CAFile string

	release chan struct{}
}

// Start starts a kubelet that the test stops.
func Start(tb testing.TB) *Kubelet {
	tb.Helper()
	k := &Kubelet{release: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/containerLogs/", k.logs)
	mux.HandleFunc("/exec/", command)
	mux.HandleFunc("/attach/", command)
	mux.HandleFunc("/portForward/", portForward)
	mux.Handle("/redirect/", http.RedirectHandler("https://elsewhere.example.com/", http.StatusFound))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintln(w, describe(r)) })
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	tb.Cleanup(server.Close)

	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		tb.Fatal(err)
	}
	k.Host, k.Port, k.CAFile = host, int32(number), filepath.Join(tb.TempDir(), "kubelet-ca.crt")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(k.CAFile, ca, 0o600); err != nil {
		tb.Fatal(err)
	}
	return k
}

// Release lets logs that are followed go on and end.
func (k *Kubelet) Release() { close(k.release) }

// describe is what a kubelet knows of a request.
func describe(r *http.Request) string {
	name := "nobody"
	if certificates := r.TLS.PeerCertificates; len(certificates) > 0 {
		name = certificates[0].Subject.CommonName
	}
	return fmt.Sprintf("%s %s %s", r.Method, r.URL, name)
}

func (k *Kubelet) logs(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Query().Has("previous"):
		http.Error(w, "previous terminated container not found", http.StatusBadRequest)
		return
	case r.URL.Query().Has("timestamps"):
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
		return
	}
	_, _ = fmt.Fprintln(w, describe(r))
	if !r.URL.Query().Has("follow") {
		return
	}
	_ = http.NewResponseController(w).Flush()
	select {
	case <-k.release:
		_, _ = fmt.Fprintln(w, "the end")
	case <-r.Context().Done():
	}
}
