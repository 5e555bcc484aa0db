// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAnswerPanics lets an answer go out that is one, and breaks off what another answer
// was added to.
func TestAnswerPanics(t *testing.T) {
	t.Parallel()
	const whole = 100 * 1024 // more than is buffered
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string // empty: the connection or stream is broken off
	}{
		"no panic": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }, "200 fine"},
		"answered": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "sorry", http.StatusInternalServerError)
			panic("x")
		}, "500 sorry\n"},
		"after hints": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			http.Error(w, "sorry", http.StatusInternalServerError)
			panic("x")
		}, "500 sorry\n"},
		"after another answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", whole))
			http.Error(w, "sorry", http.StatusInternalServerError)
			panic("x")
		}, ""},
		"after another error": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			http.Error(w, "sorry", http.StatusInternalServerError)
			panic("x")
		}, ""},
		"not answered": {func(http.ResponseWriter, *http.Request) { panic("x") }, ""},
		"an error of another server, aborted": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "sor")
			panic(http.ErrAbortHandler)
		}, ""},
		"an error of no known length, aborted": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "sor")
			panic(http.ErrAbortHandler)
		}, ""},
		"aborted": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ""},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", name, http2), func(t *testing.T) {
				t.Parallel()
				server := httptest.NewUnstartedServer(answerPanics(test.handler))
				server.EnableHTTP2 = http2
				server.StartTLS()
				t.Cleanup(server.Close)
				got, err := fetch(t, server)
				if got != test.want || (err != nil) != (test.want == "") {
					t.Errorf("got %.100q, %v, want %q", got, err, test.want)
				}
			})
		}
	}
}

// fetch returns the status and the body of the answer of a server.
func fetch(t *testing.T, server *httptest.Server) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body), nil
}
