// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// rememberFor is how long the signature of a token is not looked at again.
	rememberFor = 10 * time.Second
	// maxRemembered and maxLength are how many tokens are remembered in that time, and how
	// long they may be, so that nobody fills the memory with tokens of his own.
	maxRemembered = 4096
	maxLength     = 4 << 10
)

// memory has the claims of tokens whose signature was right a moment ago. Whether they
// hold, and what they name is still there, is asked each time. It has no tokens, only
// their hashes. Its zero value is empty.
type memory struct {
	mu sync.Mutex
	// recent is since began; before it was previous. What is in neither is forgotten.
	recent, previous map[digest]remembered
	began            time.Time
}

type digest [sha256.Size]byte

// remembered are the claims of a token, which nobody changes.
type remembered struct {
	claims *payload
	until  time.Time
}

// get returns the claims of a token, nil for one that is not known.
func (m *memory) get(token digest, now time.Time) *payload {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.recent[token]
	if !ok {
		found, ok = m.previous[token]
	}
	if !ok || !now.Before(found.until) {
		return nil
	}
	return found.claims
}

// put remembers the claims of a token.
func (m *memory) put(token digest, claims *payload, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.recent) >= maxRemembered/2 || now.Sub(m.began) >= rememberFor {
		m.recent, m.previous, m.began = nil, m.recent, now
	}
	if m.recent == nil {
		m.recent = map[digest]remembered{}
	}
	m.recent[token] = remembered{claims, now.Add(rememberFor)}
}
