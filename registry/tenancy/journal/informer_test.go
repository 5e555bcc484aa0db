// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	typedtenancyv1 "github.com/stoa-project/stoa/generated/clientset/versioned/typed/tenancy/v1"
)

// follower is the informer of somebody, whose watches are looked at.
type follower struct {
	person
	selector string
	informer cache.SharedIndexInformer

	mu     sync.Mutex // guards what follows
	wrong  []error
	events int
}

// follow makes an informer. lists has it list and watch, and not watch alone.
func follow(p person, projects typedtenancyv1.ProjectInterface, selector string, lists bool) *follower {
	f := &follower{person: p, selector: selector}
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = selector
			return projects.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			w, err := projects.Watch(ctx, o)
			if err != nil {
				return nil, err
			}
			return watch.Filter(w, f.look()), nil
		},
	}
	f.informer = cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(source, semantics{lists}), &tenancyv1.Project{}, 0, nil)
	return f
}

// semantics says whether an informer may watch without a list.
type semantics struct{ lists bool }

func (s semantics) IsWatchListSemanticsUnSupported() bool { return s.lists }

// look returns what looks at the events of one watch: their resource versions never go
// back, and what is added was not there, what is changed or deleted was.
func (f *follower) look() watch.FilterFunc {
	last, there := uint64(0), map[string]bool{}
	return func(e watch.Event) (watch.Event, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		p, ok := e.Object.(*tenancyv1.Project)
		if !ok {
			return e, true // an error
		}
		f.events++
		revision, err := strconv.ParseUint(p.ResourceVersion, 10, 64)
		if err != nil || revision < last {
			f.wrong = append(f.wrong, fmt.Errorf("%s of %q has version %q after %d", e.Type, p.Name, p.ResourceVersion, last))
		}
		last = revision
		if was, known := there[p.Name]; known && was == (e.Type == watch.Added) {
			f.wrong = append(f.wrong, fmt.Errorf("%s of %q at %d, which was there: %t", e.Type, p.Name, revision, was))
		}
		if e.Type != watch.Bookmark {
			there[p.Name] = e.Type != watch.Deleted
		}
		return e, true
	}
}

// mistakes are those of the watches until now.
func (f *follower) mistakes() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wrong
}

// get returns a project of the store; nil if it is not there.
func (f *follower) get(name string) *tenancyv1.Project {
	obj, found, err := f.informer.GetStore().GetByKey(name)
	if p, ok := obj.(*tenancyv1.Project); ok && found && err == nil {
		return p
	}
	return nil
}
