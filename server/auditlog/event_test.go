// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stoa-project/stoa/server/auditlog"
)

// whole is a line as a server writes it.
const whole = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a1","stage":"ResponseComplete",` +
	`"requestURI":"/apis/apps/v1/namespaces/shop/deployments/web/scale?x=1","verb":"patch","user":{"username":"ann","groups":["dev"]},` +
	`"impersonatedUser":{"username":"bob"},"sourceIPs":["10.0.0.1","10.0.0.2"],"userAgent":"kubectl",` +
	`"objectRef":{"resource":"deployments","namespace":"shop","name":"web","apiGroup":"apps","apiVersion":"v1","subresource":"scale"},` +
	`"responseStatus":{"metadata":{},"code":200},"requestObject":{"kind":"Scale","spec":{"a":[1,2,{"\"}":null}]}},` +
	`"requestReceivedTimestamp":"2026-11-22T05:00:00.000001Z","stageTimestamp":"2026-11-22T05:00:00.250000Z",` +
	`"annotations":{"authorization.k8s.io/decision":"allow"}}`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := auditlog.Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &auditlog.Event{
		Kind: "Event", APIVersion: "audit.k8s.io/v1", AuditID: "a1", Stage: "ResponseComplete",
		StageTimestamp: time.Date(2026, 11, 22, 5, 0, 0, 250e6, time.UTC),
		RequestURI:     "/apis/apps/v1/namespaces/shop/deployments/web/scale?x=1", Verb: "patch",
		User: auditlog.User{Username: "ann"}, ImpersonatedUser: &auditlog.User{Username: "bob"},
		SourceIPs: []string{"10.0.0.1", "10.0.0.2"}, UserAgent: "kubectl",
		ObjectRef:      &auditlog.Object{Resource: "deployments", Namespace: "shop", Name: "web", APIGroup: "apps", Subresource: "scale"},
		ResponseStatus: auditlog.Status{Code: 200},
		Annotations:    map[string]string{"authorization.k8s.io/decision": "allow"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	for i := 1; i < len(whole); i++ {
		if _, err := auditlog.Parse([]byte(whole[:i])); !errors.Is(err, auditlog.ErrCut) {
			t.Errorf("%d bytes: %v, want %v", i, err, auditlog.ErrCut)
		}
	}
	const no = "the line is no audit event in JSON"
	for line, want := range map[string]string{
		"I1122 server.go:1] Started":          no + ": invalid character 'I' looking for beginning of value",
		`2026-11-22T05:00:00Z AUDIT: id="a1"`: no + ": invalid character '-' after top-level value",
		`{"kind":"Event"}`:                    no,
		`[]`:                                  no + ": json: cannot unmarshal array into Go value of type auditlog.Event",
		`null`:                                no,
		whole + "x":                           no + ": invalid character 'x' after top-level value",
		whole + whole:                         no + ": invalid character '{' after top-level value",
		whole[:300] + whole:                   no + ": invalid character 'k' after array element",
		strings.Replace(whole, "Event", "EventList", 1):               no,
		strings.Replace(whole, "audit.k8s.io", "v1", 1):               no,
		strings.Replace(whole, `"stageTimestamp"`, `"at"`, 1):         no,
		strings.Replace(whole, `"code":200`, `"code":"secret"`, 1):    no + ": json: cannot unmarshal string into Go struct field Status.responseStatus.code of type int",
		strings.ReplaceAll(whole, `"2026-11-22T05:00:00.25`, `"noon`): no + `: parsing time "noon0000Z" as "2006-01-02T15:04:05Z07:00": cannot parse "noon0000Z" as "2006"`,
	} {
		if _, err := auditlog.Parse([]byte(line)); !errors.Is(err, auditlog.ErrNoEvent) || err.Error() != want {
			t.Errorf("%s\nerror %v\nwant  %s", line, err, want)
		}
	}
}

// TestFinal counts the requests behind events.
func TestFinal(t *testing.T) {
	t.Parallel()
	for want, events := range map[bool][]auditlog.Event{
		true:  {{Stage: "ResponseComplete"}, {Stage: "Panic", User: auditlog.User{Username: "ann"}}, {Stage: "ResponseStarted"}},
		false: {{Stage: "RequestReceived"}, {Stage: "ResponseStarted", User: auditlog.User{Username: "ann"}}, {Stage: "later"}},
	} {
		for _, e := range events {
			if e.Final() != want {
				t.Errorf("%s of %q: final is %t", e.Stage, e.User.Username, e.Final())
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"", "{", "null", whole, whole[:100], `{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"x","stageTimestamp":"2026-11-22T05:00:00Z"}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		event, err := auditlog.Parse(line)
		switch {
		case err == nil:
			if !json.Valid(line) || event.Stage == "" || event.StageTimestamp.IsZero() {
				t.Errorf("event %+v of %q", event, line)
			}
		case errors.Is(err, auditlog.ErrCut):
			if json.Valid(line) {
				t.Errorf("%q is not cut off", line)
			}
		case !errors.Is(err, auditlog.ErrNoEvent):
			t.Errorf("error %v", err)
		}
	})
}

// FuzzLog reads anything to its end.
func FuzzLog(f *testing.F) {
	for _, data := range []string{"", "\n\n", whole + "\n" + whole, whole[:50] + "\n" + whole + "\n", "\x1f\x8b\x08", "\x00\x00" + whole, "a\nb\nc", string(compress(f, whole+"\n")), string(compress(f, whole+"\n"))[:40]} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := auditlog.NewLog("x", bytes.NewReader(data))
		if err != nil {
			return
		}
		for {
			event, line, err := log.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if _, ok := errors.AsType[*auditlog.LineError](err); (err == nil) != (event != nil) || err != nil && !ok || event != nil && !json.Valid(line) {
				t.Fatalf("event %v of %q, error %v", event, line, err)
			}
		}
	})
}
