// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package reload_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
