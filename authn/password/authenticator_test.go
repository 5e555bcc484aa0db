// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"github.com/stoa-project/stoa/reload"
)

// Hashes that cost little, of "wonderland" and of "U*U".
const (
	wonderland = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$lWdVFzNfY0wvyq7oUYdyu1gGa1Twu2tQ81v71moEEKw"
	quoted     = `"` + wonderland + `"` // it has commas
	udotU      = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
)

// write replaces a file in one step.
func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func newFile(t *testing.T, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.csv")
	write(t, path, data)
	return path
}

// logged returns a context whose log goes to a buffer.
func logged(t *testing.T) (context.Context, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	return klog.NewContext(t.Context(), textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&out)))), &out
}

func newAuthenticator(t *testing.T, data string) *Authenticator {
	t.Helper()
	a, err := New(t.Context(), newFile(t, data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

// ask authenticates a request with headers.
func ask(a *Authenticator, headers ...string) (user.Info, error) {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for _, h := range headers {
		r.Header.Add("Authorization", h)
	}
	response, ok, err := a.AuthenticateRequest(r)
	if !ok || err != nil {
		return nil, err
	}
	return response.User, nil
}

func TestAuthenticateRequest(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t, quoted+",alice,uid-1,\"dev,ops\"\n"+udotU+",bob,\n")
	alice := &user.DefaultInfo{Name: "alice", UID: "uid-1", Groups: []string{"dev", "ops"}}
	const invalid, malformed = "invalid user name or password", "malformed header of basic authentication"
	for name, in := range map[string]struct {
		headers []string
		want    user.Info
		err     string
	}{
		"right":                 {headers: []string{basic("alice:wonderland")}, want: alice},
		"other case of scheme":  {headers: []string{strings.Replace(basic("alice:wonderland"), "Basic", "bAsIC", 1)}, want: alice},
		"space around":          {headers: []string{" " + basic("alice:wonderland") + " "}, want: alice},
		"bcrypt":                {headers: []string{basic("bob:U*U")}, want: &user.DefaultInfo{Name: "bob"}},
		"wrong password":        {headers: []string{basic("alice:Wonderland")}, err: invalid},
		"password of another":   {headers: []string{basic("bob:wonderland")}, err: invalid},
		"unknown user":          {headers: []string{basic("carol:wonderland")}, err: invalid},
		"other case of user":    {headers: []string{basic("Alice:wonderland")}, err: invalid},
		"hash as password":      {headers: []string{basic("alice:" + wonderland)}, err: invalid},
		"empty password":        {headers: []string{basic("alice:")}, err: invalid},
		"empty user":            {headers: []string{basic(":wonderland")}, err: invalid},
		"empty both":            {headers: []string{basic(":")}, err: invalid},
		"long password":         {headers: []string{basic("alice:" + strings.Repeat("x", 1025))}, err: invalid},
		"NUL after it":          {headers: []string{basic("alice:wonderland\x00")}, err: malformed},
		"NUL for bcrypt":        {headers: []string{basic("bob:U*U\x00U*U")}, err: malformed},
		"line end after it":     {headers: []string{basic("alice:wonderland\n")}, err: malformed},
		"more than bcrypt has":  {headers: []string{basic("bob:" + strings.Repeat("U", 73))}, err: invalid},
		"no colon":              {headers: []string{basic("alice")}, err: malformed},
		"not UTF-8":             {headers: []string{basic("al\xffice:wonderland")}, err: malformed},
		"not base64":            {headers: []string{"Basic alice:wonderland"}, err: malformed},
		"bits left over":        {headers: []string{"Basic YR=="}, err: malformed},
		"two spaces":            {headers: []string{strings.Replace(basic("alice:wonderland"), " ", "  ", 1)}, err: malformed},
		"nothing":               {headers: []string{"Basic"}, err: malformed},
		"oversized":             {headers: []string{basic("alice:" + strings.Repeat("x", 100_000))}, err: malformed},
		"twice":                 {headers: []string{basic("alice:wonderland"), basic("alice:wonderland")}, err: malformed},
		"smuggled token":        {headers: []string{basic("alice:wonderland"), "Bearer x"}, err: malformed},
		"behind a token":        {headers: []string{"Bearer x", basic("alice:wonderland")}},
		"token":                 {headers: []string{"Bearer x"}},
		"token named basic":     {headers: []string{"Bearer " + basic("alice:wonderland")}},
		"scheme that begins so": {headers: []string{strings.Replace(basic("alice:wonderland"), "Basic", "Basics", 1)}},
		"none":                  {},
		"empty header":          {headers: []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second time from memory
				got, err := ask(a, in.headers...)
				if err != nil && err.Error() != in.err || err == nil && in.err != "" {
					t.Errorf("error %v, want %q", err, in.err)
				}
				if diff := cmp.Diff(in.want, got); diff != "" {
					t.Errorf("user (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// counted counts the hashes that are computed for a user.
type counted struct {
	verifier

	mu      sync.Mutex
	count   int
	running chan struct{} // nil, or told of each computation
	resume  chan struct{} // nil, or read by each computation
}

func (c *counted) matches(password []byte) bool {
	c.mu.Lock()
	c.count++
	c.mu.Unlock()
	if c.running != nil {
		c.running <- struct{}{}
		<-c.resume
	}
	return c.verifier.matches(password)
}

func (c *counted) want(t *testing.T, count int, when string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count != count {
		t.Errorf("%s: %d hashes were computed, want %d", when, c.count, count)
	}
}

// count returns the counter of the only user.
func count(a *Authenticator) *counted {
	only := a.users.Load().all[0]
	c := &counted{verifier: only.verifier}
	only.verifier = c
	return c
}

func TestMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, quoted+",alice,\n")
		c := count(a)
		try := func(text string, ok bool) {
			t.Helper()
			if got, err := ask(a, basic(text)); (got != nil) != ok {
				t.Errorf("%s: %v, %v", text, got, err)
			}
		}
		try("alice:wonderland", true)
		try("alice:wonderland", true)
		c.want(t, 1, "a right password")
		try("alice:Wonderland", false)
		try("alice:Wonderland", false)
		c.want(t, 3, "a wrong password")
		try("alice:wonderland", true)
		c.want(t, 3, "the right one again")
		// The name of nobody costs as much as that of somebody, and is not remembered.
		try("carol:wonderland", false)
		try("carol:wonderland", false)
		c.want(t, 5, "nobody")
		try("alice:wonderland", true)
		c.want(t, 5, "the right one after that")
		<-time.After(time.Minute)
		try("alice:wonderland", true)
		c.want(t, 6, "a minute later")
	})
}

// TestCrowd has many requests of one user at once, of which one computes a hash.
func TestCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, quoted+",alice,\n")
		a.slots = make(chan struct{}, 1)
		c := count(a)
		c.running, c.resume = make(chan struct{}), make(chan struct{})
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() {
				if got, err := ask(a, basic("alice:wonderland")); got == nil {
					t.Errorf("refused: %v", err)
				}
			})
		}
		<-c.running
		close(c.resume)
		wait.Wait()
		c.want(t, 1, "a crowd")
	})
}

// TestGuessing fills the queue with wrong passwords.
func TestGuessing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, quoted+",alice,\n")
		a.slots = make(chan struct{}, 2)
		if got, err := ask(a, basic("alice:wonderland")); got == nil {
			t.Fatal(err)
		}
		c := count(a)
		c.running, c.resume = make(chan struct{}), make(chan struct{})
		var wait sync.WaitGroup
		errs := make(chan error, 100)
		for range cap(errs) {
			wait.Go(func() {
				_, err := ask(a, basic("mallory:guess"))
				errs <- err
			})
		}
		<-c.running
		<-c.running
		synctest.Wait()
		c.want(t, 2, "a flood")
		if len(errs) != cap(errs)-2-maxWaiting {
			t.Errorf("%d are refused at once, want %d", len(errs), cap(errs)-2-maxWaiting)
		}
		// Who was let in lately does not wait for that.
		if got, err := ask(a, basic("alice:wonderland")); got == nil {
			t.Errorf("the user is locked out: %v", err)
		}
		// A client that hangs up makes room.
		ctx, cancel := context.WithCancel(t.Context())
		a.waiting.Add(-1)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
		r.Header.Set("Authorization", basic("alice:guess"))
		gone := make(chan error, 1)
		go func() {
			_, _, err := a.AuthenticateRequest(r)
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; err == nil || err.Error() != "too many passwords are being checked: context canceled" {
			t.Errorf("a client that hung up: %v", err)
		}
		a.waiting.Add(1)
		go func() {
			for range c.running {
			}
		}()
		close(c.resume)
		wait.Wait()
		close(c.running)
		busy := 0
		for range cap(errs) {
			switch err := <-errs; err.Error() {
			case "too many passwords are being checked":
				busy++
			case "invalid user name or password":
			default:
				t.Error(err)
			}
		}
		if busy != cap(errs)-2-maxWaiting {
			t.Errorf("%d were refused, want %d", busy, cap(errs)-2-maxWaiting)
		}
		if a.waiting.Load() != 0 || len(a.slots) != 0 {
			t.Errorf("%d wait and %d slots are taken in the end", a.waiting.Load(), len(a.slots))
		}
	})
}

// TestRun changes the file under the server.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, log := logged(t)
		ctx, cancel := context.WithCancel(ctx)
		path := newFile(t, quoted+",alice,\n")
		a, err := New(ctx, path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.Run(ctx)
		}()
		// users waits for two looks, and says who is let in.
		users := func(want string) {
			t.Helper()
			<-time.After(2*reload.Interval + reload.Interval/2)
			synctest.Wait()
			var got []string
			for _, name := range []string{"alice", "bob"} {
				if info, _ := ask(a, basic(name+":wonderland")); info != nil {
					got = append(got, name)
				}
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("let in: %q, want %q; log:\n%s", text, want, log)
			}
		}
		users("alice")
		write(t, path, quoted+",alice,\n"+quoted+",bob,\n")
		users("alice bob")
		for _, broken := range []string{"", "wonderland,alice,\n", quoted + ",alice\n", quoted + ",bob,\n" + quoted + ",bob,\n"} {
			write(t, path, broken)
			users("alice bob")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		users("alice bob")
		users("alice bob")
		write(t, path, quoted+",bob,\n")
		users("bob")
		write(t, path, strings.Replace(quoted, "c29t", "c29u", 1)+",bob,\n") // another password
		users("")
		cancel()
		<-done
		for text, want := range map[string]int{
			"has changed and is used": 3, "has a mistake": 4, "Could not read a file again": 1, "has no users": 1, "wonderland": 0, "argon2id$": 0,
		} {
			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("%q is %d times in the log, want %d:\n%s", text, got, want, log)
			}
		}
	})
}
