// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package eventlimit

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/utils/lru"

	"github.com/stoa-project/stoa/apis/core"
)

// defaultCacheSize is how many keys a limit remembers unless it says so itself.
const defaultCacheSize = 4096

// limiter holds events to one limit. Those with the same key count together.
type limiter struct {
	limit

	key func(admission.Attributes) string
	// lock is held from looking for a key to adding it.
	lock sync.Mutex
	seen *lru.Cache // key -> *rate.Limiter; who is forgotten may begin anew
}

func newLimiter(l limit) *limiter {
	keys := map[limitType]func(admission.Attributes) string{
		perServer:          func(admission.Attributes) string { return "" },
		perNamespace:       admission.Attributes.GetNamespace,
		perUser:            func(a admission.Attributes) string { return a.GetUserInfo().GetName() },
		perSourceAndObject: sourceAndObject,
	}
	size := int(l.CacheSize)
	switch {
	case l.Type == perServer:
		size = 1
	case size == 0:
		size = defaultCacheSize
	}
	return &limiter{limit: l, key: keys[l.Type], seen: lru.New(size)}
}

// take counts a request, and refuses it if there are too many.
func (l *limiter) take(a admission.Attributes) error {
	key := l.key(a)
	if !l.of(key).Allow() {
		return fmt.Errorf("limit reached on type %v for key %v", l.Type, key)
	}
	return nil
}

func (l *limiter) of(key string) *rate.Limiter {
	l.lock.Lock()
	defer l.lock.Unlock()
	if known, ok := l.seen.Get(key); ok {
		return known.(*rate.Limiter)
	}
	fresh := rate.NewLimiter(rate.Limit(l.QPS), int(l.Burst))
	l.seen.Add(key, fresh)
	return fresh
}

func sourceAndObject(a admission.Attributes) string {
	event, ok := a.GetObject().(*core.Event)
	if !ok {
		return ""
	}
	about := event.InvolvedObject
	return strings.Join([]string{
		event.Source.Component, event.Source.Host, about.Kind, about.Namespace, about.Name, string(about.UID), about.APIVersion,
	}, "")
}
