// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tokenreview_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/tokenreview"
	"github.com/stoa-project/stoa/authn/tokenreview/tokenreviewtest"
)

// patience is how long something may take that a test waits for.
const patience = time.Minute

const open = "the token webhook has failed, and is not asked for a while"

// options are those with which nothing but what a test changes stands in its way.
func options(change func(*tokenreview.Options)) tokenreview.Options {
	o := tokenreview.Options{
		Version: "v1", CacheTTL: time.Hour, Timeout: patience, MaxInFlight: 100, QPS: 1000, BreakerFailures: 100, BreakerOpen: time.Hour,
	}
	if change != nil {
		change(&o)
	}
	return o
}

func ask(t *testing.T, webhook *tokenreviewtest.Webhook, change func(*tokenreview.Options)) *tokenreview.Authenticator {
	t.Helper()
	a, err := tokenreview.New(t.Context(), tokenreview.Config{
		Kubeconfig: webhook.Kubeconfig, Audiences: authenticator.Audiences{"api"},
		Private: func(token string) bool { return strings.HasPrefix(token, "own-") },
	}, options(change))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// who says who has a token: the name, the error, or "nobody".
func who(ctx context.Context, a *tokenreview.Authenticator, token string) string {
	response, ok, err := a.AuthenticateToken(ctx, token)
	switch {
	case err != nil:
		return err.Error()
	case ok:
		return response.User.GetName()
	}
	return "nobody"
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1", "v1beta1"} {
		webhook := tokenreviewtest.Start(t)
		a := ask(t, webhook, func(o *tokenreview.Options) { o.Version = version })
		ctx := authenticator.WithAudiences(t.Context(), authenticator.Audiences{"api"})
		response, ok, err := a.AuthenticateToken(ctx, "token-alice")
		if err != nil || !ok {
			t.Fatalf("%s: %t, %v", version, ok, err)
		}
		want := &authenticator.Response{Audiences: authenticator.Audiences{"api"}, User: &user.DefaultInfo{
			Name: "alice", UID: "uid-alice", Groups: []string{"webhooks"}, Extra: map[string][]string{"example.com/from": {"webhook"}},
		}}
		if diff := cmp.Diff(want, response); diff != "" {
			t.Errorf("%s: response (-want +got):\n%s", version, diff)
		}
		if diff := cmp.Diff([]string{"authentication.k8s.io/" + version}, webhook.Versions()); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
	}
}

// TestAnswers remembers what the service has said, and does not ask about some tokens.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		token, want string
		calls       int // for three times
	}{
		"good":      {"token-alice", "alice", 1},
		"unknown":   {"other", "nobody", 1},
		"revoked":   {"revoked", "token webhook: the token was taken back", 3},
		"no name":   {"token-", "the token webhook names no user", 3},
		"own":       {"own-token", "nobody", 0},
		"long":      {strings.Repeat("x", 65<<10), "nobody", 0},
		"not UTF-8": {"token-\xff", "nobody", 0},
		"not ASCII": {"token-é", "nobody", 0},
		"control":   {"token-\x01", "nobody", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			webhook := tokenreviewtest.Start(t)
			a := ask(t, webhook, nil)
			for range 3 {
				if got := who(t.Context(), a, tc.token); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
			if webhook.Calls() != tc.calls {
				t.Errorf("%d calls, want %d", webhook.Calls(), tc.calls)
			}
		})
	}
}

// TestBreaker has a service that fails in each way. It is called so many times, and then
// left alone, while what is remembered is still good.
func TestBreaker(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail    http.HandlerFunc
		timeout time.Duration
		want    string
		calls   int
	}{
		"503":        {tokenreviewtest.Status(503), patience, "token webhook: the server is currently unable to handle the request", 3},
		"hangs":      {hang, time.Second, "context deadline exceeded", 3},
		"hangs up":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, patience, "EOF", 3},
		"half":       {half, time.Second, "context deadline exceeded", 3},
		"a page":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<h1>Sorry</h1>")) }, patience, "the answer is not JSON", 3},
		"endless":    {endless, patience, "the answer is longer than 1048576 bytes", 3},
		"500, twice": {tokenreviewtest.Status(500), patience, open, 3}, // the retries of the first token
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			webhook := tokenreviewtest.Start(t)
			a := ask(t, webhook, func(o *tokenreview.Options) { o.BreakerFailures, o.Timeout = 3, tc.timeout })
			if got := who(t.Context(), a, "token-alice"); got != "alice" {
				t.Fatal(got)
			}
			webhook.Fail(tc.fail)
			before := webhook.Calls()
			for n := range 20 {
				got := who(t.Context(), a, fmt.Sprintf("token-%d", n))
				if n == 0 && !strings.Contains(got, tc.want) {
					t.Errorf("first: %q, want %q", got, tc.want)
				}
				if n >= tc.calls && got != open {
					t.Errorf("token %d: %q, want %q", n, got, open)
				}
			}
			if calls := webhook.Calls() - before; calls != tc.calls {
				t.Errorf("%d calls, want %d", calls, tc.calls)
			}
			if got := who(t.Context(), a, "token-alice"); got != "alice" {
				t.Errorf("what is remembered: %s", got)
			}
		})
	}
}

// hang answers nothing.
func hang(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// half begins an answer.
func half(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"apiVersion":`))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// endless does not end its answer.
func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}

// TestNoFailures has answers that are no failures of the service, however many there are.
func TestNoFailures(t *testing.T) {
	t.Parallel()
	webhook := tokenreviewtest.Start(t)
	a := ask(t, webhook, func(o *tokenreview.Options) { o.BreakerFailures = 2 })
	for n := range 10 {
		if got := who(t.Context(), a, fmt.Sprintf("unknown-%d", n)); got != "nobody" {
			t.Errorf("unknown: %s", got)
		}
	}
	webhook.Fail(tokenreviewtest.Status(403))
	for n := range 10 {
		if got := who(t.Context(), a, fmt.Sprintf("forbidden-%d", n)); got != "token webhook: broken" {
			t.Errorf("forbidden: %s", got)
		}
	}
	webhook.Fail(nil)
	if got := who(t.Context(), a, "token-alice"); got != "alice" {
		t.Errorf("got %s", got)
	}
}

// TestRecovery asks again after a while, one call at a time.
func TestRecovery(t *testing.T) {
	t.Parallel()
	webhook := tokenreviewtest.Start(t)
	a := ask(t, webhook, func(o *tokenreview.Options) { o.BreakerFailures, o.BreakerOpen = 1, time.Millisecond })
	webhook.Fail(tokenreviewtest.Status(503))
	if got := who(t.Context(), a, "token-0"); !strings.Contains(got, "unable to handle") {
		t.Fatal(got)
	}
	release := make(chan struct{})
	webhook.Fail(func(w http.ResponseWriter, _ *http.Request) { <-release; tokenreviewtest.Status(503)(w, nil) })
	answers := make(chan string)
	for n := range 20 {
		go func() {
			got := ""
			// Until the breaker lets somebody through, and for all others.
			_ = wait.PollUntilContextTimeout(t.Context(), time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
				got = who(ctx, a, fmt.Sprintf("token-%d", n))
				return got != open || webhook.Calls() > 1, nil
			})
			answers <- got
		}()
	}
	refused := 0
	for range 19 {
		if got := <-answers; got == open {
			refused++
		} else {
			t.Errorf("got %q", got)
		}
	}
	close(release)
	<-answers
	if refused != 19 || webhook.Most() != 1 {
		t.Errorf("%d are refused, %d calls at once", refused, webhook.Most())
	}
	webhook.Fail(nil)
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return who(ctx, a, "token-alice") == "alice", nil
	})
	if err != nil {
		t.Error(err)
	}
	for n := range 5 {
		if got, want := who(t.Context(), a, fmt.Sprintf("token-n%d", n)), fmt.Sprintf("n%d", n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestInFlight refuses more tokens than may be asked about at once.
func TestInFlight(t *testing.T) {
	t.Parallel()
	webhook := tokenreviewtest.Start(t)
	a := ask(t, webhook, func(o *tokenreview.Options) { o.MaxInFlight = 3 })
	release := make(chan struct{})
	webhook.Fail(func(w http.ResponseWriter, _ *http.Request) { <-release; tokenreviewtest.Status(404)(w, nil) })
	answers := make(chan string)
	for n := range 10 {
		go func() { answers <- who(t.Context(), a, fmt.Sprintf("token-%d", n)) }()
	}
	for range 7 {
		if got, want := <-answers, "the token webhook is asked about as many tokens as may be at once"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	close(release)
	for range 3 {
		if got := <-answers; !strings.Contains(got, "could not find the requested resource") {
			t.Errorf("got %q", got)
		}
	}
	if webhook.Calls() != 3 {
		t.Errorf("%d calls", webhook.Calls())
	}
}

// TestRate refuses more tokens than may be asked about in a while.
func TestRate(t *testing.T) {
	t.Parallel()
	webhook := tokenreviewtest.Start(t)
	a := ask(t, webhook, func(o *tokenreview.Options) { o.QPS = 0.001 })
	if got := who(t.Context(), a, "token-alice"); got != "alice" {
		t.Errorf("got %q", got)
	}
	if got, want := who(t.Context(), a, "token-bob"), "the token webhook was asked about as many tokens as may be in a second"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := who(t.Context(), a, "token-alice"); got != "alice" {
		t.Errorf("what is remembered: %q", got)
	}
	if webhook.Calls() != 1 {
		t.Errorf("%d calls", webhook.Calls())
	}
}

// TestGone has a service that is not there at all.
func TestGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w")
	if err := os.WriteFile(path, []byte("clusters: [{name: w, cluster: {server: 'https://127.0.0.1:1/'}}]\ncontexts: [{name: w, context: {cluster: w}}]\ncurrent-context: w\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := tokenreview.New(t.Context(), tokenreview.Config{Kubeconfig: path, Private: func(string) bool { return false }},
		options(func(o *tokenreview.Options) { o.BreakerFailures = 2 }))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"connection refused", "connection refused", open, open} {
		if got := who(t.Context(), a, "token"); !strings.Contains(got, want) {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w")
	if err := tokenreview.Check(path); err == nil || err.Error() != path+": stat "+path+": no such file or directory" {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(path, []byte("kind: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tokenreview.Check(path); err == nil || !strings.HasPrefix(err.Error(), path+": error loading config file") {
		t.Errorf("error %v", err)
	}
	webhook := tokenreviewtest.Start(t)
	if err := tokenreview.Check(webhook.Kubeconfig); err != nil {
		t.Error(err)
	}
	if _, err := tokenreview.New(t.Context(), tokenreview.Config{Kubeconfig: webhook.Kubeconfig}, options(func(o *tokenreview.Options) { o.Version = "v2" })); err == nil ||
		err.Error() != webhook.Kubeconfig+`: unsupported authentication webhook version "v2", supported versions are "v1", "v1beta1"` {
		t.Errorf("error %v", err)
	}
}
