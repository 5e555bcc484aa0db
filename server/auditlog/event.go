// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The stages of a request that a reader looks at.
const (
	stageStarted  = "ResponseStarted"
	stageComplete = "ResponseComplete"
	stagePanic    = "Panic"
)

// What the annotation says that authorization leaves.
const (
	decisionAnnotation = "authorization.k8s.io/decision"
	decisionForbid     = "forbid"
)

var (
	// ErrCut is the error of a line that ends too early.
	ErrCut = errors.New("the line is cut off, by a crash or because it is being written")
	// ErrNoEvent is the error of a line that is something else.
	ErrNoEvent = errors.New("the line is no audit event in JSON")
)

// Event is what queries and tables need of an audit event. The objects of a request and
// its answer are not in it.
type Event struct {
	Kind             string            `json:"kind"`
	APIVersion       string            `json:"apiVersion"`
	AuditID          string            `json:"auditID"`
	Stage            string            `json:"stage"`
	StageTimestamp   time.Time         `json:"stageTimestamp"`
	RequestURI       string            `json:"requestURI"`
	Verb             string            `json:"verb"`
	User             User              `json:"user"`
	ImpersonatedUser *User             `json:"impersonatedUser"`
	SourceIPs        []string          `json:"sourceIPs"`
	UserAgent        string            `json:"userAgent"`
	ObjectRef        *Object           `json:"objectRef"`
	ResponseStatus   Status            `json:"responseStatus"`
	Annotations      map[string]string `json:"annotations"`
}

// User is who sent a request, or for whom.
type User struct {
	Username string `json:"username"`
}

// Object is what a request is about. A request for a path that is no resource has none.
type Object struct {
	Resource    string `json:"resource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	APIGroup    string `json:"apiGroup"`
	Subresource string `json:"subresource"`
}

// Status is how a request was answered.
type Status struct {
	// Code is that of HTTP; 0 before the answer.
	Code int `json:"code"`
}

// Parse reads an event from a line. The error is ErrCut or ErrNoEvent.
func Parse(line []byte) (*Event, error) {
	event := &Event{}
	if err := json.Unmarshal(line, event); err != nil {
		var whole json.RawMessage
		if err := json.NewDecoder(bytes.NewReader(line)).Decode(&whole); errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, ErrCut
		}
		return nil, fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	if event.Kind != "Event" || !strings.HasPrefix(event.APIVersion, "audit.k8s.io/") || event.Stage == "" || event.StageTimestamp.IsZero() {
		return nil, ErrNoEvent
	}
	return event, nil
}

// Final says whether an event is the last one of its request.
func (e *Event) Final() bool {
	switch e.Stage {
	case stageComplete, stagePanic:
		return true
	case stageStarted:
		return e.User.Username == "" // who is not known is sent away, and nothing follows
	default:
		return false
	}
}

// Decision is what authorization decided: allow or forbid. It is empty if it was not
// asked.
func (e *Event) Decision() string { return e.Annotations[decisionAnnotation] }
