// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// headroom is how much a small heap may grow between two garbage collections. By
	// default it would be as much as is live, a few megabytes for a server that holds
	// little, which collects so often that it costs a quarter of the throughput.
	headroom = 64 << 20
	// defaultPercent is Go's own rule, which holds for heaps larger than headroom.
	defaultPercent = 100
)

// tuneGC keeps garbage collections at least headroom apart. A GOGC in the
// environment wins. An idle server stays small all the same: the runtime collects
// every two minutes.
func tuneGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	t := &gcTuner{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, percent: defaultPercent}
	t.afterNext()
}

// gcTuner is woken after each collection.
type gcTuner struct {
	live    []metrics.Sample
	percent int
}

// afterNext has adjust called when the next collection is over.
func (t *gcTuner) afterNext() {
	// A sentinel that nothing refers to is cleaned up by the next collection. It must
	// hold a pointer, or the allocator would put it together with others.
	runtime.AddCleanup(&struct{ _ *byte }{}, func(t *gcTuner) { t.adjust() }, t)
}

func (t *gcTuner) adjust() {
	metrics.Read(t.live)
	live := max(1, t.live[0].Value.Uint64())
	percent := max(defaultPercent, int(headroom*100/live))
	// Setting it stops the world: only for a change that matters.
	if percent > t.percent*5/4 || percent < t.percent*4/5 {
		t.percent = percent
		debug.SetGCPercent(percent)
	}
	t.afterNext()
}
