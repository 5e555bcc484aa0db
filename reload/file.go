// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/klog/v2"
)

// Interval is how often a file is looked at. A change is used at the second look that
// finds the same: what changes from one look to the next is still being written.
const Interval = time.Second

// RetryAfter is when a content that was refused is tried again: what it lacked, another
// file or a server, may be there by then.
const RetryAfter = time.Minute

// ErrChanged says that the file has another content by now. It is tried again at once.
var ErrChanged = errors.New("the file has changed again")

// Digest stands for the content of a file, which may be secret.
type Digest [sha256.Size]byte

// Sum returns the digest of a content.
func Sum(content []byte) Digest { return sha256.Sum256(content) }

// File is a file that is followed.
type File struct {
	// Flag names the file, for the log, for example --audit-policy-file.
	Flag string
	Path string
	// Read returns the content of the file. Unset: os.ReadFile.
	Read func(path string) ([]byte, error)
	// Use takes a new content. If it returns an error, which must not have a secret in
	// it, what the file said before holds on. It is called again with a content that was
	// refused.
	Use func(ctx context.Context, content []byte) error
	// Done hears of each content that was used or, with the error, refused, and of an
	// error of reading, with no content. Unset: only the log does.
	Done func(content []byte, err error)
}

// Follow uses the content of the file whenever it changes, until ctx ends. used is what
// is in use when it begins. A file that cannot be read, or has a mistake, is reported in
// the log once and changes nothing. ctx carries the logger.
func (f File) Follow(ctx context.Context, used Digest) {
	if f.Read == nil {
		f.Read = os.ReadFile
	}
	if f.Done == nil {
		f.Done = func([]byte, error) {}
	}
	w := watcher{File: f, used: used, seen: used}
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(ctx)
		}
	}
}

// Await returns nil when check does, and otherwise with what it said last: when ctx ends,
// or the file has another content. Use may wait with it for what a content needs.
func (f File) Await(ctx context.Context, content []byte, check func() error) error {
	read := f.Read
	if read == nil {
		read = os.ReadFile
	}
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		problem := check()
		if problem == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return problem
		case <-ticker.C:
		}
		if now, err := read(f.Path); err == nil && Sum(now) != Sum(content) {
			return fmt.Errorf("%w: %w", ErrChanged, problem)
		}
	}
}

// watcher is what Follow knows of a file.
type watcher struct {
	File

	// used is the digest of what was used or refused last, seen that of the last look.
	used, seen Digest
	// refusal is why used is not in use, empty if it is. It is tried again then.
	refusal string
	again   time.Time
	// unreadable is the last error of reading.
	unreadable string
}

func (w *watcher) look(ctx context.Context) {
	logger := klog.FromContext(ctx)
	content, err := w.Read(w.Path)
	if err != nil {
		if err.Error() != w.unreadable {
			w.unreadable = err.Error()
			logger.Error(err, "Could not read a file again, what it said holds on", "flag", w.Flag, "file", w.Path)
			w.Done(nil, err)
		}
		return
	}
	w.unreadable = ""
	digest := Sum(content)
	settled := digest == w.seen
	w.seen = digest
	known := digest == w.used
	if !settled || known && (w.refusal == "" || time.Now().Before(w.again)) {
		return
	}
	w.used = digest
	err = w.Use(ctx, content)
	switch {
	case err == nil:
		w.refusal = ""
		logger.Info("A file has changed and is used", "flag", w.Flag, "file", w.Path)
	case !known || err.Error() != w.refusal:
		w.refusal = err.Error()
		logger.Error(err, "A file has changed and has a mistake, what it said before holds on", "flag", w.Flag, "file", w.Path)
	}
	w.again = time.Now()
	if !errors.Is(err, ErrChanged) {
		w.again = w.again.Add(RetryAfter)
	}
	w.Done(content, err)
}
