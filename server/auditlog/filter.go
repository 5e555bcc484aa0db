// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Filter says which events are asked for. What is not set is not looked at.
type Filter struct {
	// Users are names of users who sent a request, or for whom it was sent.
	Users []string
	// Verbs are those of requests, in lower case.
	Verbs []string
	// Resource is what a request is about.
	Resource *Resource
	// Subresource is which part of it.
	Subresource string
	// Namespace is where it is.
	Namespace string
	// From and To are the first moment that is asked for, and the first that is not.
	From, To time.Time
	// Codes are those of answers.
	Codes []int
	// Denied asks for requests of users who were not known or not allowed to.
	Denied bool
	// AllStages asks for all events of a request, and not for the last one alone.
	AllStages bool
}

// Resource is a resource of one or of any group, or one object of it.
type Resource struct {
	Resource string
	// Group is nil for any.
	Group *string
	// Name is empty for any.
	Name string
}

// ParseResource reads RESOURCE, RESOURCE.GROUP or one of them with /NAME. The core group
// is the empty one: "pods.".
func ParseResource(text string) (*Resource, error) {
	kind, name, named := strings.Cut(text, "/")
	resource, group, grouped := strings.Cut(kind, ".")
	if resource == "" || named && (name == "" || strings.Contains(name, "/")) {
		return nil, fmt.Errorf("%q must be RESOURCE[.GROUP][/NAME]", text)
	}
	out := &Resource{Resource: resource, Name: name}
	if grouped {
		out.Group = &group
	}
	return out, nil
}

// Validate reports a filter that nothing can match.
func (f *Filter) Validate() error {
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return errors.New("the time that is asked for ends before it begins")
	}
	return nil
}

// Matches says whether an event is asked for.
func (f *Filter) Matches(e *Event) bool {
	return (f.AllStages || e.Final()) &&
		!e.StageTimestamp.Before(f.From) && (f.To.IsZero() || e.StageTimestamp.Before(f.To)) &&
		(len(f.Verbs) == 0 || slices.Contains(f.Verbs, e.Verb)) &&
		(len(f.Codes) == 0 || slices.Contains(f.Codes, e.ResponseStatus.Code)) &&
		(!f.Denied || denied(e)) && f.matchesUser(e) && f.matchesObject(e.ObjectRef)
}

// denied leaves out what was forbidden by others than authorization, such as admission.
func denied(e *Event) bool {
	switch e.ResponseStatus.Code {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return e.Decision() == "" || e.Decision() == decisionForbid
	default:
		return e.Decision() == decisionForbid
	}
}

func (f *Filter) matchesUser(e *Event) bool {
	return len(f.Users) == 0 || slices.Contains(f.Users, e.User.Username) ||
		e.ImpersonatedUser != nil && slices.Contains(f.Users, e.ImpersonatedUser.Username)
}

func (f *Filter) matchesObject(object *Object) bool {
	if object == nil {
		object = &Object{}
	}
	if r := f.Resource; r != nil && (r.Resource != object.Resource ||
		r.Group != nil && *r.Group != object.APIGroup || r.Name != "" && r.Name != object.Name) {
		return false
	}
	return (f.Subresource == "" || f.Subresource == object.Subresource) && (f.Namespace == "" || f.Namespace == object.Namespace)
}
