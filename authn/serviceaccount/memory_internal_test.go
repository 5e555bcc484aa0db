// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"encoding/binary"
	"testing"
	"time"
)

// TestMemory forgets after ten seconds, and before that when there are too many.
func TestMemory(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	hash := func(n int) (out digest) {
		binary.BigEndian.PutUint64(out[:], uint64(n))
		return out
	}
	var m memory
	if m.get(hash(0), now) != nil {
		t.Error("knows what it was not told")
	}
	first := &payload{ID: "first"}
	m.put(hash(0), first, now)
	m.put(hash(1), &payload{ID: "second"}, now.Add(6*time.Second))
	for after, want := range map[time.Duration]*payload{0: first, 9999 * time.Millisecond: first, 10 * time.Second: nil, time.Hour: nil} {
		if got := m.get(hash(0), now.Add(after)); got != want {
			t.Errorf("after %s: %v, want %v", after, got, want)
		}
	}
	// The first of the next ten seconds does not displace the second.
	m.put(hash(2), first, now.Add(11*time.Second))
	if got := m.get(hash(1), now.Add(15*time.Second)); got == nil || got.ID != "second" {
		t.Errorf("got %v, want the second", got)
	}
	for n := range 100_000 {
		m.put(hash(n), first, now.Add(12*time.Second))
		if kept := len(m.recent) + len(m.previous); kept > 4096 {
			t.Fatalf("keeps %d", kept)
		}
	}
	if m.get(hash(99_999), now.Add(12*time.Second)) != first || m.get(hash(98_000), now.Add(12*time.Second)) != first || m.get(hash(10), now.Add(12*time.Second)) != nil {
		t.Error("keeps others than the last")
	}
}
