// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stoa-project/stoa/server/auditlog"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return time.Date(2026, 11, 22, hour, 0, 0, 0, time.UTC) }
	event := func(stage string, hour int, user, verb string, code int, decision string, object *auditlog.Object) *auditlog.Event {
		return &auditlog.Event{
			Stage: stage, StageTimestamp: at(hour), User: auditlog.User{Username: user}, Verb: verb,
			ResponseStatus: auditlog.Status{Code: code}, Annotations: map[string]string{"authorization.k8s.io/decision": decision}, ObjectRef: object,
		}
	}
	pod := &auditlog.Object{Resource: "pods", Namespace: "shop", Name: "web"}
	metrics := &auditlog.Object{Resource: "pods", Namespace: "shop", Name: "web", APIGroup: "metrics.k8s.io"}
	exec := &auditlog.Object{Resource: "pods", Namespace: "bank", Name: "safe", Subresource: "exec"}
	const complete = "ResponseComplete"
	events := map[string]*auditlog.Event{
		"delete":   event(complete, 1, "ann", "delete", 200, "allow", pod),
		"metrics":  event(complete, 2, "ann", "get", 200, "allow", metrics),
		"forbid":   event(complete, 3, "bob", "create", 403, "forbid", exec),
		"quota":    event(complete, 4, "bob", "create", 403, "allow", pod),
		"stranger": event("ResponseStarted", 5, "", "list", 401, "", pod),
		"path":     event(complete, 6, "ann", "get", 200, "allow", nil),
		"received": event("RequestReceived", 7, "ann", "delete", 0, "", pod),
		"old":      event(complete, 8, "ann", "get", 403, "", pod), // without the annotation
	}
	events["metrics"].ImpersonatedUser = &auditlog.User{Username: "carol"}
	resource := func(text string) *auditlog.Resource {
		out, err := auditlog.ParseResource(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for want, filter := range map[string]auditlog.Filter{
		"delete forbid metrics old path quota stranger": {},
		"delete received":         {Verbs: []string{"delete"}, AllStages: true},
		"delete":                  {Verbs: []string{"delete"}},
		"delete metrics old path": {Users: []string{"ann"}},
		"metrics":                 {Users: []string{"carol"}},
		"forbid metrics quota":    {Users: []string{"carol", "bob"}},
		"delete forbid metrics old quota stranger": {Resource: resource("pods")},
		"delete forbid old quota stranger":         {Resource: resource("pods.")},
		"metrics path":                             {Verbs: []string{"get"}, Codes: []int{200}},
		"delete metrics old quota stranger":        {Resource: resource("pods/web")},
		"forbid":                                   {Subresource: "exec"},
		"delete old quota stranger":                {Namespace: "shop", Resource: resource("pods./web")},
		"forbid old quota stranger":                {Codes: []int{401, 403}},
		"forbid old stranger":                      {Denied: true},
		"forbid metrics":                           {From: at(2), To: at(4)},
	} {
		var got []string
		for _, name := range []string{"delete", "forbid", "metrics", "old", "path", "quota", "received", "stranger"} {
			if filter.Matches(events[name]) {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", filter, diff)
		}
	}
}

func TestParseResource(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "/", "/x", "pods/", ".apps", "pods/a/b"} {
		if _, err := auditlog.ParseResource(text); err == nil || err.Error() != `"`+text+`" must be RESOURCE[.GROUP][/NAME]` {
			t.Errorf("%q: %v", text, err)
		}
	}
	got, err := auditlog.ParseResource("pods.metrics.k8s.io/web.1")
	if diff := cmp.Diff(&auditlog.Resource{Resource: "pods", Group: new("metrics.k8s.io"), Name: "web.1"}, got); diff != "" || err != nil {
		t.Errorf("resource (-want +got):\n%s, error %v", diff, err)
	}
}

func TestFilterOfNothing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, filter := range []auditlog.Filter{{From: now, To: now}, {From: now, To: now.Add(-1)}} {
		if err := filter.Validate(); err == nil || err.Error() != "the time that is asked for ends before it begins" {
			t.Errorf("error %v", err)
		}
	}
	if err := (&auditlog.Filter{From: now, To: now.Add(1)}).Validate(); err != nil {
		t.Error(err)
	}
}
