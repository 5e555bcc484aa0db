// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package locks has locks by name, for requests that would fail or try again if they did
// at once what only one of them can do. Between servers they hold nothing.
package locks

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ByName are locks by name. The zero value has none that is locked. A lock that nobody
// has or waits for takes no memory.
type ByName struct {
	mutex sync.Mutex
	known map[string]*lock
}

type lock struct {
	turn  chan struct{} // holds one token while it is locked
	users int           // have it or wait for it
}

// Lock locks the lock of a name, and returns what unlocks it. If the context ends first,
// it returns the error for a client whose request took too long.
func (l *ByName) Lock(ctx context.Context, name string) (unlock func(), err error) {
	own := l.join(name)
	select {
	case own.turn <- struct{}{}:
		return func() {
			<-own.turn
			l.leave(name, own)
		}, nil
	case <-ctx.Done():
		l.leave(name, own)
		return nil, apierrors.NewTimeoutError(fmt.Sprintf("other requests for %q were not done in time", name), 1)
	}
}

func (l *ByName) join(name string) *lock {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	own, ok := l.known[name]
	if !ok {
		own = &lock{turn: make(chan struct{}, 1)}
		if l.known == nil {
			l.known = map[string]*lock{}
		}
		l.known[name] = own
	}
	own.users++
	return own
}

func (l *ByName) leave(name string, own *lock) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if own.users--; own.users == 0 {
		delete(l.known, name)
	}
}
