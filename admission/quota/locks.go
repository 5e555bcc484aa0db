// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import "sync"

// Locks are locks by name. The zero value has none that is locked.
type Locks struct{ byName sync.Map }

// Lock locks the lock of a name, and returns what unlocks it.
func (l *Locks) Lock(name string) (unlock func()) {
	lock, _ := l.byName.LoadOrStore(name, &sync.Mutex{})
	mutex, ok := lock.(*sync.Mutex)
	if !ok {
		return func() {}
	}
	mutex.Lock()
	return mutex.Unlock
}
