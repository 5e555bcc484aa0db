// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"container/heap"
	"time"
)

const (
	// maxWaiting is how many values a Sorter holds back, and maxBytes how large they are
	// together.
	maxWaiting = 10_000
	maxBytes   = 16 << 20
)

// Sorter puts values in order of time that come nearly in order: no value later than ten
// thousand others that it should come before. Those of one time keep their order.
type Sorter[T any] struct {
	// Emit is called with the values in order.
	Emit func(T) error

	waiting waiting[T]
	bytes   int
	count   uint64
}

// Add takes a value of some size in bytes.
func (s *Sorter[T]) Add(at time.Time, size int, value T) error {
	heap.Push(&s.waiting, item[T]{at, s.count, size, value})
	s.count++
	s.bytes += size
	for len(s.waiting) > maxWaiting || s.bytes > maxBytes {
		if err := s.emit(); err != nil {
			return err
		}
	}
	return nil
}

// Flush emits what is held back.
func (s *Sorter[T]) Flush() error {
	for len(s.waiting) > 0 {
		if err := s.emit(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sorter[T]) emit() error {
	first := heap.Pop(&s.waiting).(item[T])
	s.bytes -= first.size
	return s.Emit(first.value)
}

type item[T any] struct {
	at    time.Time
	order uint64
	size  int
	value T
}

// waiting is a heap.Interface with the earliest first.
type waiting[T any] []item[T]

func (w waiting[T]) Len() int      { return len(w) }
func (w waiting[T]) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w waiting[T]) Less(i, j int) bool {
	if c := w[i].at.Compare(w[j].at); c != 0 {
		return c < 0
	}
	return w[i].order < w[j].order
}

func (w *waiting[T]) Push(x any) { *w = append(*w, x.(item[T])) }

func (w *waiting[T]) Pop() any {
	last := len(*w) - 1
	out := (*w)[last]
	(*w)[last] = item[T]{}
	*w = (*w)[:last]
	return out
}
