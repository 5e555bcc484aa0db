// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// auditLine is an event of a log. more are fields in JSON.
func auditLine(at, stage, user, verb, more string) string {
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"id","stage":%q,"verb":%q,"user":{"username":%q},"stageTimestamp":%q,"userAgent":"kubectl/v1.37.2","sourceIPs":["10.0.0.1"],%s}`,
		stage, verb, user, at, more) + "\n"
}

// auditFile writes a log, and what was rotated from it, and returns its path.
func auditFile(t *testing.T) string {
	t.Helper()
	const allow, forbid = `"annotations":{"authorization.k8s.io/decision":"allow"}`, `"annotations":{"authorization.k8s.io/decision":"forbid"}`
	const web = `"objectRef":{"resource":"pods","namespace":"shop","name":"web"}`
	path := filepath.Join(t.TempDir(), "audit.log")
	for name, content := range map[string]string{
		"audit-2025-11-22T02-00-00.000.log": auditLine("2025-11-22T01:00:00.000000Z", "ResponseComplete", "ann", "create", web+`,"responseStatus":{"code":201},`+allow) +
			// Those of one moment can be written in any order.
			auditLine("2025-11-22T02:00:00.000002Z", "ResponseComplete", "stoa-admin", "delete", `"impersonatedUser":{"username":"bob"},"responseStatus":{"code":200},`+web+`,`+allow),
		"audit.log": auditLine("2025-11-22T02:00:00.000001Z", "RequestReceived", "stoa-admin", "delete", web) +
			auditLine("2025-11-22T03:00:00.000000Z", "ResponseComplete", "eve", "create", `"responseStatus":{"code":403},"objectRef":{"resource":"deployments","apiGroup":"apps","subresource":"scale","namespace":"shop","name":"a\u001b[31m"},`+forbid) +
			auditLine("2025-11-22T04:00:00.000000Z", "ResponseStarted", "", "get", `"requestURI":"/metrics?x=1","responseStatus":{"code":401}`) +
			auditLine("2025-11-22T05:00:00.000000Z", "ResponseComplete", "ann", "get", `"requestURI":"/version","responseStatus":{"code":200}`) +
			`{"kind":"Event","apiVersion`,
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestAudit asks a log.
func TestAudit(t *testing.T) {
	t.Parallel()
	path := auditFile(t)
	const heading = "TIME USER VERB RESOURCE NAME CODE DECISION SOURCE"
	const created = "2025-11-22T01:00:00Z ann create pods shop/web 201 allow 10.0.0.1"
	const deleted = "2025-11-22T02:00:00Z stoa-admin as bob delete pods shop/web 200 allow 10.0.0.1"
	const forbidden = `2025-11-22T03:00:00Z eve create deployments.apps/scale shop/a\x1b[31m 403 forbid 10.0.0.1`
	const stranger = "2025-11-22T04:00:00Z <none> get /metrics <none> 401 <none> 10.0.0.1"
	const version = "2025-11-22T05:00:00Z ann get /version <none> 200 <none> 10.0.0.1"
	for arguments, want := range map[string][]string{
		"":                                     {heading, created, deleted, forbidden, stranger, version},
		"--rotated=false":                      {heading, forbidden, stranger, version},
		"--verb Delete --resource pods/web":    {heading, deleted},
		"--user bob":                           {heading, deleted},
		"--denied":                             {heading, forbidden, stranger},
		"--code 201,200 -n shop":               {heading, created, deleted},
		"--resource deployments.apps":          {heading, forbidden},
		"--subresource scale":                  {heading, forbidden},
		"--from 2025-11-22T03:00:00Z":          {heading, forbidden, stranger, version},
		"--to 2025-11-22T03:00:00+01:00":       {heading, created},
		"--since 1h":                           {heading},
		"--user ann --verb create -o json":     {strings.TrimSpace(auditLine("2025-11-22T01:00:00.000000Z", "ResponseComplete", "ann", "create", `"objectRef":{"resource":"pods","namespace":"shop","name":"web"},"responseStatus":{"code":201},"annotations":{"authorization.k8s.io/decision":"allow"}`))},
		"--verb delete --all-stages -o wide":   {heading + " STAGE AUDIT ID USER AGENT", "2025-11-22T02:00:00Z stoa-admin delete pods shop/web <none> <none> 10.0.0.1 RequestReceived id kubectl/v1.37.2", deleted + " ResponseComplete id kubectl/v1.37.2"},
		"--verb delete --rotated=false":        {heading},
		"--user nobody -o json":                nil,
		"--verb delete --resource pods.apps/x": {heading},
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, "", append([]string{"audit", "--file", path}, strings.Fields(arguments)...)...)
			if err != nil {
				t.Fatal(err)
			}
			got, problems := []string(nil), []string{}
			for text := range strings.Lines(out) {
				if text = strings.TrimSpace(text); strings.HasPrefix(text, path) || strings.HasPrefix(text, "No request") {
					problems = append(problems, text)
				} else if strings.HasPrefix(text, "{") {
					got = append(got, text)
				} else {
					got = append(got, strings.Join(strings.Fields(text), " "))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			wantProblems := []string{path + ":5: the line is cut off, by a crash or because it is being written"}
			if arguments == "--verb delete --rotated=false" {
				wantProblems = append(wantProblems, "No request that is asked for has ended; events of other stages, for --all-stages: 1")
			}
			if diff := cmp.Diff(wantProblems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAuditOfStandardInput reads a pipe, and stops at what is no event.
func TestAuditOfStandardInput(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Format(time.RFC3339)
	event := auditLine(now, "ResponseComplete", "ann", "get", `"requestURI":"/version"`)
	table := "TIME                   USER   VERB   RESOURCE   NAME     CODE     DECISION   SOURCE\n"
	row := now + "   ann    get    /version   <none>   <none>   <none>     10.0.0.1\n"
	const bad = "standard input:2: the line is no audit event in JSON: invalid character 'o' in literal null (expecting 'u')"
	for name, tc := range map[string]struct {
		input     string
		arguments []string
		out, err  string
	}{
		"events":     {event + event, []string{"--since=1h"}, table + row + row, ""},
		"other line": {event + "not\n" + event, nil, table + row, bad},
		"go on":      {event + "not\n" + event, []string{"--keep-going", "--file=-"}, bad + "\n" + table + row + row, "lines that are no audit events: 1"},
		"nothing":    {"", nil, table[:5] + "  USER   VERB   RESOURCE   NAME   CODE   DECISION   SOURCE\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, tc.input, append([]string{"audit"}, tc.arguments...)...)
			if text := fmt.Sprint(err); tc.err == "" && err != nil || tc.err != "" && text != tc.err {
				t.Errorf("error %v, want %s", err, tc.err)
			}
			if diff := cmp.Diff(tc.out, out); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAuditOfManyRows has more rows than are looked at for the width of columns.
func TestAuditOfManyRows(t *testing.T) {
	t.Parallel()
	var input strings.Builder
	begin := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	const count = 25_000
	for i := range count {
		input.WriteString(auditLine(begin.Add(time.Duration(i^1)*time.Second).Format(time.RFC3339), "ResponseComplete", strings.Repeat("x", 1+i/1000), "get", `"requestURI":"/version"`))
	}
	out, err := run(t, input.String(), "audit")
	if err != nil {
		t.Fatal(err)
	}
	last, lines := "", 0
	for line := range strings.Lines(out) {
		if at := line[:20]; lines > 0 && at < last {
			t.Fatalf("%s comes after %s", at, last)
		} else if lines > 0 {
			last = at
		}
		lines++
	}
	if lines != count+1 {
		t.Errorf("%d lines", lines)
	}
}

func TestAuditErrors(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"x":                                    `unknown command "x" for "stoa audit"`,
		"--file /nonexistent":                  "--file: open /nonexistent: no such file or directory",
		"--output yaml":                        `--output must be table, wide or json, is "yaml"`,
		"--resource /x":                        `--resource: "/x" must be RESOURCE[.GROUP][/NAME]`,
		"--since -1s":                          "--since must not be negative",
		"--since 1h --from 2026-01-01":         "--since and --from cannot be set together",
		"--from yesterday":                     `--from must be a time in the form of RFC 3339, is "yesterday"`,
		"--to 2026-01-01":                      `--to must be a time in the form of RFC 3339, is "2026-01-01"`,
		"--since 1h --to 2020-01-01T00:00:00Z": "the time that is asked for ends before it begins",
		"--code x":                             `invalid argument "x" for "--code" flag: strconv.Atoi: parsing "x": invalid syntax`,
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			if out, err := run(t, "", append([]string{"audit"}, strings.Fields(arguments)...)...); err == nil || err.Error() != want || out != "" {
				t.Errorf("error %v, want %s; output %q", err, want, out)
			}
		})
	}
}
