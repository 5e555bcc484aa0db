// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// half is a request whose body the server waits for.
type half struct {
	conn   net.Conn
	answer *bufio.Reader
	rest   string
}

// halfRequest sends a request up to the middle of its body, and returns once the
// server reads the body.
func halfRequest(t *testing.T, s *server) *half {
	t.Helper()
	config, err := rest.TLSConfigFor(s.config(t))
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"http/1.1"}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: config}
	conn, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	body := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"half"}}`
	h := &half{conn: conn, answer: bufio.NewReader(conn), rest: body[10:]}
	_, err = fmt.Fprintf(conn, "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n%s", len(body), body[:10])
	if err != nil {
		t.Fatal(err)
	}
	// The server sends this when the handler begins to read.
	if line := h.line(t); line != "HTTP/1.1 100 Continue" {
		t.Fatalf("answer %q, want 100 Continue", line)
	}
	h.line(t) // an empty one
	return h
}

// finish sends the rest and returns the status.
func (h *half) finish(t *testing.T) string {
	t.Helper()
	if _, err := h.conn.Write([]byte(h.rest)); err != nil {
		t.Fatal(err)
	}
	_, status, _ := strings.Cut(h.line(t), " ")
	return status
}

func (h *half) line(t *testing.T) string {
	t.Helper()
	line, err := h.answer.ReadString('\n')
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return strings.TrimSpace(line)
}

// refused returns nil when the server accepts no connections any more.
func refused(t *testing.T, s *server) error {
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	if err != nil {
		return nil
	}
	_ = conn.Close()
	return errors.New("it accepts")
}

// status asks without a certificate, as a load balancer does.
func (s *server) status(t *testing.T, path string) (int, error) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // a probe
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close()
	return response.StatusCode, nil
}
