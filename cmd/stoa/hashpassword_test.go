// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stoa-project/stoa/authn/password"
)

// run executes stoa, and returns what it prints.
func run(t *testing.T, input string, arguments ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := newCommand()
	command.SetArgs(arguments)
	command.SetIn(strings.NewReader(input))
	command.SetOut(&out)
	command.SetErr(&out)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

func TestHashPassword(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]struct {
		input     string
		arguments []string
		want      string
		err       string
	}{
		"argon2id":        {input: "wonderland\n", want: `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\n$`},
		"bcrypt":          {input: "wonderland\r\n", arguments: []string{"--algorithm=bcrypt"}, want: `^\$2a\$12\$[A-Za-z0-9./]{53}\n$`},
		"line":            {input: "wonderland", arguments: []string{"--user=alice", "--uid=1", "--group=dev", "--group=ops"}, want: `^"\$argon2id\$.*",alice,1,"dev,ops"\n$`},
		"line, no groups": {input: "wonderland", arguments: []string{"--user=alice", "--algorithm=bcrypt"}, want: `^\$2a.*,alice,\n$`},
		"empty":           {input: "\n", err: "the password is empty"},
		"two lines":       {input: "wonder\nland\n", err: "the password has a control character, such as an end of a line"},
		"long":            {input: strings.Repeat("x", 1<<17), err: "the password is longer than 1024 bytes"},
		"algorithm":       {input: "x", arguments: []string{"--algorithm=md5"}, err: `the algorithm must be argon2id or bcrypt, not "md5"`},
		"nobody":          {input: "x", arguments: []string{"--group=dev"}, err: "--uid and --group need --user"},
		"argument":        {input: "x", arguments: []string{"secret"}, err: `unknown command "secret" for "stoa hash-password"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, in.input, append([]string{"hash-password"}, in.arguments...)...)
			if err != nil && err.Error() != in.err || err == nil && in.err != "" {
				t.Fatalf("error %v, want %q", err, in.err)
			}
			if in.err == "" && !regexp.MustCompile(in.want).MatchString(out) {
				t.Errorf("output %q, want %s", out, in.want)
			}
		})
	}
}

// TestHashPasswordLine makes a file that the server takes.
func TestHashPasswordLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.csv")
	var all strings.Builder
	for _, user := range []string{"alice", "bob, the builder"} {
		out, err := run(t, "wonderland", "hash-password", "--user="+user, "--group=dev", "--group=ops")
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(out)
	}
	if err := os.WriteFile(path, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := password.Check(path, password.Options{}); err != nil {
		t.Error(err)
	}
}
