// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// key names a role or a binding. One of the cluster has no namespace.
type key struct{ namespace, name string }

// binding is what a binding gives to whom, and until when; zero: for ever.
type binding struct {
	role     key
	subjects []Subject
	end      time.Time
}

// record is a namespace and those who see it as one of some, at one moment. It never
// changes. Those who see all namespaces are not among the readers.
type record struct {
	project *tenancy.Project
	readers subjects
}

// change is what became of a namespace; nil: it is not there.
type change struct{ before, after *record }

// state is who sees what, and why. One goroutine changes it.
//
// Each reason for which a subject sees a namespace counts once in access: a binding,
// or that the tenant of the namespace is his. A namespace need not exist for that.
type state struct {
	roles    map[key]role
	bindings map[key]binding
	bound    map[key]map[key]struct{} // the bindings of a role
	tenants  map[string]*Tenant
	members  map[string]map[string]struct{} // the namespaces of a tenant

	namespaces map[string]*record
	access     map[string]map[Subject]int
	visible    map[Subject]map[string]struct{} // the names that access has for a subject
	everywhere map[Subject]int
	all        subjects // the keys of everywhere

	// While a namespace ends, its bindings and roles go first, and nobody would see it
	// end. So they count until it is gone.
	ending map[string]*leftovers

	// endings are the bindings that end by themselves, and soonest is when the first one
	// does. Nil: they end when they are deleted.
	endings map[key]time.Time
	soonest time.Time

	touched map[string]*record // what there was of namespaces that may have changed since the last commit
	allNew  bool               // everywhere is not what it was
}

// leftovers are the bindings and roles of a namespace that are gone before it is.
type leftovers struct{ bindings, roles map[key]struct{} }

func newState() *state {
	return &state{
		roles: map[key]role{}, bindings: map[key]binding{}, bound: map[key]map[key]struct{}{},
		tenants: map[string]*Tenant{}, members: map[string]map[string]struct{}{},
		namespaces: map[string]*record{}, access: map[string]map[Subject]int{}, visible: map[Subject]map[string]struct{}{},
		everywhere: map[Subject]int{}, ending: map[string]*leftovers{}, touched: map[string]*record{},
	}
}

// insert adds a member to a set in a map of sets, and drop takes it out.
func insert[K, V comparable](sets map[K]map[V]struct{}, at K, member V) {
	set := sets[at]
	if set == nil {
		set = map[V]struct{}{}
		sets[at] = set
	}
	set[member] = struct{}{}
}

func drop[K, V comparable](sets map[K]map[V]struct{}, at K, member V) {
	delete(sets[at], member)
	if len(sets[at]) == 0 {
		delete(sets, at)
	}
}

// count adds reasons for which a subject sees a namespace; fewer than zero takes them
// away.
func (s *state) count(name string, subject Subject, reasons int) {
	counts := s.access[name]
	if counts == nil {
		counts = map[Subject]int{}
		s.access[name] = counts
	}
	had := counts[subject]
	switch now := had + reasons; {
	case now == 0:
		delete(counts, subject)
		if len(counts) == 0 {
			delete(s.access, name)
		}
		drop(s.visible, subject, name)
		s.touch(name)
	case had == 0:
		insert(s.visible, subject, name)
		s.touch(name)
		fallthrough
	default:
		counts[subject] = now
	}
}

// countAll is count for all namespaces.
func (s *state) countAll(subject Subject, reasons int) {
	had := s.everywhere[subject]
	now := had + reasons
	if now == 0 {
		delete(s.everywhere, subject)
	} else {
		s.everywhere[subject] = now
	}
	s.allNew = s.allNew || had == 0 || now == 0
}

// weigh counts what a binding at a key shows by its role, or takes that away.
func (s *state) weigh(at key, b binding, reasons int) {
	r := s.roles[b.role]
	for _, subject := range b.subjects {
		switch {
		case at.namespace != "":
			if r.something {
				s.count(at.namespace, subject, reasons)
			}
			continue
		case r.everything:
			s.countAll(subject, reasons)
		}
		for _, name := range r.names {
			s.count(name, subject, reasons)
		}
	}
}

func (s *state) setBinding(at key, b binding) {
	if left := s.ending[at.namespace]; left != nil {
		delete(left.bindings, at) // it is there again
	}
	s.takeBinding(at)
	s.bindings[at] = b
	insert(s.bound, b.role, at)
	s.weigh(at, b, 1)
	if s.endings == nil || b.end.IsZero() {
		return
	}
	s.endings[at] = b.end
	if s.soonest.IsZero() || b.end.Before(s.soonest) {
		s.soonest = b.end
	}
}

// end takes the bindings away that are over by now.
func (s *state) end(now time.Time) {
	if s.soonest.IsZero() || now.Before(s.soonest) {
		return
	}
	s.soonest = time.Time{}
	for at, end := range s.endings {
		switch {
		case !now.Before(end):
			s.takeBinding(at)
		case s.soonest.IsZero() || end.Before(s.soonest):
			s.soonest = end
		}
	}
}

func (s *state) takeBinding(at key) {
	if b, ok := s.bindings[at]; ok {
		s.weigh(at, b, -1)
		drop(s.bound, b.role, at)
		delete(s.bindings, at)
		delete(s.endings, at)
	}
}

func (s *state) removeBinding(at key) {
	if left := s.left(at.namespace); left != nil {
		left.bindings[at] = struct{}{}
		return
	}
	s.takeBinding(at)
}

func (s *state) setRole(at key, r role) {
	if left := s.ending[at.namespace]; left != nil {
		delete(left.roles, at)
	}
	if s.roles[at].equal(r) {
		s.roles[at] = r
		return
	}
	for b := range s.bound[at] {
		s.weigh(b, s.bindings[b], -1)
	}
	s.roles[at] = r
	for b := range s.bound[at] {
		s.weigh(b, s.bindings[b], 1)
	}
}

func (s *state) removeRole(at key) {
	if left := s.left(at.namespace); left != nil {
		left.roles[at] = struct{}{}
		return
	}
	s.setRole(at, role{})
	delete(s.roles, at)
}

// left returns where it is kept what goes before its namespace does; nil if the
// namespace does not end.
func (s *state) left(namespace string) *leftovers {
	if r := s.namespaces[namespace]; r == nil || r.project.Status.Phase != tenancy.ProjectTerminating {
		return nil
	}
	if s.ending[namespace] == nil {
		s.ending[namespace] = &leftovers{bindings: map[key]struct{}{}, roles: map[key]struct{}{}}
	}
	return s.ending[namespace]
}

// setTenant sets a tenant; nil: there is none of that name.
func (s *state) setTenant(name string, now *Tenant) {
	weigh := func(t *Tenant, reasons int) {
		if t == nil {
			return
		}
		for namespace := range s.members[name] {
			for _, owner := range t.Owners {
				s.count(namespace, owner, reasons)
			}
		}
	}
	weigh(s.tenants[name], -1)
	delete(s.tenants, name)
	if now != nil {
		s.tenants[name] = now
	}
	weigh(now, 1)
}

// setNamespace sets a namespace; nil: there is none of that name.
func (s *state) setNamespace(name string, now *tenancy.Project) {
	s.touch(name)
	before := s.namespaces[name]
	had, has := "", ""
	if before != nil {
		had = before.project.Spec.Tenant
	}
	if now != nil {
		has = now.Spec.Tenant
		s.namespaces[name] = &record{project: now} // commit adds the readers
	} else {
		delete(s.namespaces, name)
		s.takeLeftovers(name)
	}
	if had == has {
		return
	}
	if had != "" {
		s.countOwners(name, had, -1)
		drop(s.members, had, name)
	}
	if has != "" {
		insert(s.members, has, name)
		s.countOwners(name, has, 1)
	}
}

func (s *state) countOwners(namespace, tenant string, reasons int) {
	if t := s.tenants[tenant]; t != nil {
		for _, owner := range t.Owners {
			s.count(namespace, owner, reasons)
		}
	}
}

// takeLeftovers forgets what was kept for a namespace that is gone: a new one of the
// name is somebody else's.
func (s *state) takeLeftovers(namespace string) {
	left := s.ending[namespace]
	if left == nil {
		return
	}
	delete(s.ending, namespace)
	for at := range left.bindings {
		s.takeBinding(at)
	}
	for at := range left.roles {
		s.setRole(at, role{})
		delete(s.roles, at)
	}
}

// touch remembers what a namespace was before it changes.
func (s *state) touch(name string) {
	if _, ok := s.touched[name]; !ok {
		s.touched[name] = s.namespaces[name]
	}
}

// commit ends a change. It returns what became of which namespaces, in order, and who
// saw all of them before.
func (s *state) commit() (changes []change, allBefore subjects) {
	for name, before := range s.touched {
		now := s.namespaces[name]
		if now != nil {
			readers := s.readers(name)
			if before != nil && slices.Equal(before.readers, readers) {
				readers = before.readers
				if before.project == now.project {
					s.namespaces[name] = before
					continue
				}
			}
			now = &record{project: now.project, readers: readers}
			s.namespaces[name] = now
		}
		if before != nil || now != nil {
			changes = append(changes, change{before, now})
		}
	}
	clear(s.touched)
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.name(), b.name()) })
	allBefore = s.all
	if s.allNew {
		s.allNew = false
		if all := subjects(slices.SortedFunc(maps.Keys(s.everywhere), compareSubjects)); !slices.Equal(all, s.all) {
			s.all = all
		}
	}
	return changes, allBefore
}

func (s *state) readers(name string) subjects {
	return slices.SortedFunc(maps.Keys(s.access[name]), compareSubjects)
}

func (c change) name() string {
	if c.after != nil {
		return c.after.project.Name
	}
	return c.before.project.Name
}
