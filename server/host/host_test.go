// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server/host"
)

// What is to be sent to a host that is not there is sent when it is, with its body, unless
// nobody waits for it any more.
func TestBackground(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // each request has to reach it anew
		body, _ := io.ReadAll(r.Body)         // otherwise the answer is wrong
		_, _ = io.WriteString(w, r.Method+" "+string(body))
	}))
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	content := "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: '" + server.URL + "'}}]}"
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(t.Context(), host.Options{Kubeconfig: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Int32 // how often nobody is there
	h.Config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if away.Add(-1) >= 0 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	client, err := rest.HTTPClientFor(h.Background())
	if err != nil {
		t.Fatal(err)
	}
	send := func(ctx context.Context, method, body string) (string, error) {
		request, err := http.NewRequestWithContext(ctx, method, server.URL, strings.NewReader(body))
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer func() { _ = response.Body.Close() }()
		got, err := io.ReadAll(response.Body)
		return string(got), err
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		away.Store(2)
		if got, err := send(t.Context(), method, "what was sent"); err != nil || got != method+" what was sent" {
			t.Errorf("%s: %q, %v", method, got, err)
		}
	}
	away.Store(math.MaxInt32)
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := send(soon, http.MethodGet, ""); err == nil {
		t.Error("something is sent")
	}
}
