// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// tally is what the controller knows of the namespaces of a tenant. Another server may
// have counted some that it has not stored yet. They are waited for, and count: else the
// tenant would have room for more than it may have. The zero value knows nothing.
type tally struct {
	// count is what the status said after the last look, and there what was there.
	count int32
	there sets.Set[types.UID]
	// until is, for each namespace that is waited for, when its request is over.
	until []time.Time
}

// look returns the tally after another look at the count of the status, and then at what
// is there. Whoever gives a namespace to a tenant adds to the count; who takes one away
// does not, and neither does a request that fails after that.
func (t tally) look(count int32, namespaces []metav1.PartialObjectMetadata, now time.Time, request time.Duration) tally {
	out := tally{there: sets.Set[types.UID]{}}
	arrived := 0
	for i := range namespaces {
		uid := namespaces[i].UID
		if out.there.Insert(uid); t.there != nil && !t.there.Has(uid) {
			arrived++
		}
	}
	before := t.count
	if t.there == nil { // what was counted and is not there may have gone, or may come
		before = int32(len(namespaces))
	}
	waits := t.until
	for range count - before {
		waits = append(waits, now.Add(request))
	}
	for _, until := range waits[min(arrived, len(waits)):] {
		if until.After(now) {
			out.until = append(out.until, until)
		}
	}
	out.count = int32(len(namespaces) + len(out.until))
	return out
}
