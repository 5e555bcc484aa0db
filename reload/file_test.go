// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package reload_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/reload"
)

// TestFollow changes a file between looks. An empty step removes it.
func TestFollow(t *testing.T) {
	t.Parallel()
	errMistake := errors.New("a mistake")
	for name, tc := range map[string]struct {
		steps []string // content at each look
		used  []string
		done  []string
	}{
		"nothing changes":    {steps: []string{"one", "one"}},
		"a change":           {steps: []string{"two", "two", "two"}, used: []string{"two"}, done: []string{"two"}},
		"and back":           {steps: []string{"two", "two", "one", "one"}, used: []string{"two", "one"}, done: []string{"two", "one"}},
		"half written":       {steps: []string{"t", "tw", "two", "two"}, used: []string{"two"}, done: []string{"two"}},
		"never at rest":      {steps: []string{"two", "one", "two", "one"}},
		"a mistake":          {steps: []string{"bad", "bad", "bad"}, done: []string{"bad: a mistake"}},
		"a mistake is ended": {steps: []string{"bad", "bad", "one", "one"}, used: []string{"one"}, done: []string{"bad: a mistake", "one"}},
		"gone for a while":   {steps: []string{"", "", "one", "one"}, done: []string{": gone"}},
		"gone twice":         {steps: []string{"", "one", ""}, done: []string{": gone", ": gone"}},
		"gone and changed":   {steps: []string{"", "two", "two"}, used: []string{"two"}, done: []string{": gone", "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				write(t, path, "one")
				var used, done []string
				file := reload.File{
					Flag: "--file", Path: path,
					Use: func(_ context.Context, content []byte) error {
						if string(content) == "bad" {
							return errMistake
						}
						used = append(used, string(content))
						return nil
					},
					Done: func(content []byte, err error) {
						text := string(content)
						switch {
						case errors.Is(err, os.ErrNotExist):
							text += ": gone"
						case err != nil:
							text += ": " + err.Error()
						}
						done = append(done, text)
					},
				}
				go file.Follow(t.Context(), reload.Sum([]byte("one")))
				synctest.Wait()
				for _, content := range tc.steps {
					write(t, path, content)
					<-time.After(reload.Interval)
					synctest.Wait()
				}
				if diff := cmp.Diff(tc.used, used); diff != "" {
					t.Errorf("used (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.done, done); diff != "" {
					t.Errorf("done (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestRetry tries again what was refused, until it is used.
func TestRetry(t *testing.T) {
	t.Parallel()
	errLacks := errors.New("lacks something")
	for name, tc := range map[string]struct {
		err  error
		want []time.Duration // tries since the change
	}{
		"lacks something": {errLacks, []time.Duration{2 * time.Second, 62 * time.Second, 122 * time.Second}},
		"changes":         {fmt.Errorf("%w: %w", reload.ErrChanged, errLacks), []time.Duration{2 * time.Second, 3 * time.Second, 4 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				write(t, path, "two")
				var tries []time.Duration
				var done []error
				began := time.Now()
				file := reload.File{
					Flag: "--file", Path: path,
					Use: func(context.Context, []byte) error {
						tries = append(tries, time.Since(began))
						if len(tries) < len(tc.want) {
							return tc.err
						}
						return nil
					},
					Done: func(_ []byte, err error) { done = append(done, err) },
				}
				var log strings.Builder
				logger := funcr.New(func(_, line string) { log.WriteString(line + "\n") }, funcr.Options{})
				go file.Follow(klog.NewContext(t.Context(), logger), reload.Sum([]byte("one")))
				<-time.After(time.Hour)
				synctest.Wait()
				if diff := cmp.Diff(tc.want, tries); diff != "" {
					t.Errorf("tries (-want +got):\n%s", diff)
				}
				if len(done) != 3 || done[0] == nil || done[1] == nil || done[2] != nil {
					t.Errorf("done %v", done)
				}
				if said := strings.Count(log.String(), tc.err.Error()); said != 1 {
					t.Errorf("the log says it %d times, want once:\n%s", said, log.String())
				}
			})
		})
	}
}

// TestAwait waits for a check, and not for longer than the content is wanted.
func TestAwait(t *testing.T) {
	t.Parallel()
	errIll := errors.New("not well")
	for name, tc := range map[string]struct {
		ill     int // checks that fail
		content string
		end     time.Duration
		want    error
		took    time.Duration
	}{
		"well":         {0, "one", time.Hour, nil, 0},
		"well later":   {3, "one", time.Hour, nil, 3 * time.Second},
		"another file": {1000, "two", time.Hour, reload.ErrChanged, time.Second},
		"the end":      {1000, "one", 1500 * time.Millisecond, errIll, 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				write(t, path, tc.content)
				ctx, stop := context.WithTimeout(t.Context(), tc.end)
				defer stop()
				began, ill := time.Now(), tc.ill
				err := reload.File{Path: path}.Await(ctx, []byte("one"), func() error {
					if ill--; ill >= 0 {
						return errIll
					}
					return nil
				})
				if !errors.Is(err, tc.want) || tc.want != nil && !errors.Is(err, errIll) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
				if took := time.Since(began); took != tc.took {
					t.Errorf("took %s, want %s", took, tc.took)
				}
			})
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	err := os.WriteFile(path, []byte(content), 0o600)
	if err == nil && content == "" {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}
