// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"context"
	"crypto/sha256"
	"time"

	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/userfile"
)

// interval is how often the file is looked at.
const interval = time.Second

// Run takes the users of the file when it changes, until ctx ends. It is called once.
// A file that cannot be read, or has a mistake, is reported once and changes nothing.
func (a *Authenticator) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	w := watcher{Authenticator: a, seen: a.digest}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(ctx)
		}
	}
}

// watcher is what Run knows of the file.
type watcher struct {
	*Authenticator

	// seen is the digest of the last look.
	seen [sha256.Size]byte
	// unreadable is the last error of reading, which is reported once.
	unreadable string
}

func (w *watcher) look(ctx context.Context) {
	logger := klog.FromContext(ctx)
	data, err := userfile.Read(w.path)
	if err != nil {
		if err.Error() != w.unreadable {
			w.unreadable = err.Error()
			logger.Error(err, "Could not read the file of --basic-auth-file, its users stay as they were")
		}
		return
	}
	w.unreadable = ""
	digest := sha256.Sum256(data)
	settled := digest == w.seen
	w.seen = digest
	// What changes from one look to the next is still being written.
	if digest == w.digest || !settled {
		return
	}
	w.digest = digest
	users, err := parse(w.path, data, w.options)
	if err != nil {
		logger.Error(err, "The file of --basic-auth-file has a mistake, its users stay as they were")
		return
	}
	w.use(ctx, users)
	logger.Info("The users of --basic-auth-file have changed", "file", w.path, "users", len(users.all))
}
