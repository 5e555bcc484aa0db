// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
)

func TestHash(t *testing.T) {
	t.Parallel()
	for algorithm, prefix := range map[Algorithm]string{Argon2id: "$argon2id$v=19$m=19456,t=2,p=1$", Bcrypt: "$2a$12$"} {
		first, err := Hash([]byte("pässword"), algorithm)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Hash([]byte("pässword"), algorithm)
		if err != nil || first == second || !strings.HasPrefix(first, prefix) {
			t.Errorf("%s: %s and %s, %v", algorithm, first, second, err)
		}
		v, ok, err := parseHash(first)
		if err != nil || !ok || !v.matches([]byte("pässword")) || v.matches([]byte("password")) {
			t.Errorf("%s: %t, %v, or another password matches", algorithm, ok, err)
		}
	}
	for name, in := range map[string]struct {
		password  string
		algorithm Algorithm
		err       string
	}{
		"empty":             {"", Argon2id, "the password is empty"},
		"long":              {strings.Repeat("x", 1025), Argon2id, "the password is longer than 1024 bytes"},
		"long for bcrypt":   {strings.Repeat("x", 73), Bcrypt, "the password is longer than 72 bytes, all that bcrypt looks at; use argon2id"},
		"not UTF-8":         {"\xff", Argon2id, "the password is not UTF-8"},
		"line":              {"a\nb", Argon2id, "the password has a control character, such as an end of a line"},
		"unknown algorithm": {"x", "md5", `the algorithm must be argon2id or bcrypt, not "md5"`},
	} {
		if got, err := Hash([]byte(in.password), in.algorithm); err == nil || err.Error() != in.err || got != "" {
			t.Errorf("%s: %q, %v, want %s", name, got, err, in.err)
		}
	}
}

// TestForeignHashes are from the tests of the reference implementations.
func TestForeignHashes(t *testing.T) {
	t.Parallel()
	for hash, password := range map[string]string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc": "password",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":                           "U*U",
		"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":                           "U*U",
		"$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":                           "U*U",
	} {
		v, ok, err := parseHash(hash)
		if err != nil || !ok || !v.matches([]byte(password)) || v.matches([]byte(password+"x")) {
			t.Errorf("%s: %t, %v", hash, ok, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const (
		argon  = "the argon2id hash, in column 1, must be of the form $argon2id$v=19$m=19456,t=2,p=1$salt$hash, in double quotes"
		costs  = "the argon2id hash, in column 1, must have m of at most 262144, m times t of at most 1048576, and p of at most 16"
		sizes  = "the argon2id hash, in column 1, must have a salt of 8 to 64 bytes and a hash of 16 to 64"
		bcrypt = "the bcrypt hash, in column 1, must begin with $2a$, $2b$ or $2y$ and be 60 bytes long"
		plain  = "the password, in column 1, is not a bcrypt or argon2id hash; make one with stoa hash-password, or set --basic-auth-allow-plain-text"
	)
	hashOf := func(old, replaced string) string {
		return `"` + strings.Replace(wonderland, old, replaced, 1) + `",alice,1`
	}
	salt := func(length int) string {
		return base64.RawStdEncoding.EncodeToString(make([]byte, length))
	}
	for name, in := range map[string]struct {
		data    string
		options Options
		err     string
	}{
		"good":               {data: hashOf("", "")},
		"plain text":         {data: "wonderland,alice,1", err: "line 1: " + plain},
		"allowed plain text": {data: "wonderland,alice,1", options: Options{AllowPlainText: true}},
		"long plain text": {data: strings.Repeat("x", 1025) + ",alice,1", options: Options{AllowPlainText: true},
			err: "line 1: the password, in column 1, is longer than 1024 bytes"},
		"no password":         {data: hashOf("", "") + "\n,bob,2", options: Options{AllowPlainText: true}, err: "line 2: the password, in column 1, is empty"},
		"no users":            {data: "\n\n", err: "has no users"},
		"two columns":         {data: quoted + ",alice", err: "line 1: must have at least 3 columns (secret, user name, user UID), has 2"},
		"same user":           {data: hashOf("", "") + "\n\n" + udotU + ",alice,1", err: "line 3: the user name, in column 2, is that of line 1"},
		"colon":               {data: udotU + ",a:b,1", err: "line 1: the user name, in column 2, has a colon, which ends a name in HTTP basic authentication"},
		"not UTF-8":           {data: udotU + ",al\xffice,1", err: "line 1: column 2 is not UTF-8"},
		"argon2i":             {data: hashOf("2id", "2i"), err: "line 1: " + argon},
		"argon2id, old":       {data: hashOf("19", "16"), err: "line 1: " + argon},
		"argon2id, padded":    {data: hashOf("EEKw", "EEKw="), err: "line 1: " + argon},
		"argon2id, sign":      {data: hashOf("m=8", "m=+8"), err: "line 1: " + argon},
		"argon2id, zero":      {data: hashOf("m=8", "m=08"), err: "line 1: " + argon},
		"argon2id, unquoted":  {data: wonderland + ",alice,1", err: "line 1: " + argon},
		"argon2id, short":     {data: `"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",alice,1`, err: "line 1: " + argon},
		"argon2id, no time":   {data: hashOf("t=1", "t=0"), err: "line 1: " + costs},
		"argon2id, no memory": {data: hashOf("m=8", "m=7"), err: "line 1: " + costs},
		"argon2id, memory":    {data: hashOf("m=8", "m=262145"), err: "line 1: " + costs},
		"argon2id, work":      {data: hashOf("m=8,t=1", "m=262144,t=5"), err: "line 1: " + costs},
		"argon2id, threads":   {data: hashOf("m=8,t=1,p=1", "m=1024,t=1,p=17"), err: "line 1: " + costs},
		"argon2id, overflow":  {data: hashOf("p=1", "p=257"), err: "line 1: " + argon},
		"argon2id, salt":      {data: hashOf("c29tZXNhbHQ", salt(7)), err: "line 1: " + sizes},
		"argon2id, long salt": {data: hashOf("c29tZXNhbHQ", salt(65)), err: "line 1: " + sizes},
		"bcrypt, variant":     {data: strings.Replace(udotU, "2y", "2x", 1) + ",alice,1", err: "line 1: " + bcrypt},
		"bcrypt, short":       {data: udotU[:59] + ",alice,1", err: "line 1: " + bcrypt},
		"bcrypt, no cost":     {data: strings.Replace(udotU, "05", "xx", 1) + ",alice,1", err: "line 1: the bcrypt hash, in column 1, is malformed"},
		"bcrypt, other digit": {data: strings.Replace(udotU, "CCCC", "CC!C", 1) + ",alice,1", err: "line 1: the bcrypt hash, in column 1, is malformed"},
		"bcrypt, cost":        {data: strings.Replace(udotU, "05", "16", 1) + ",alice,1", err: "line 1: the bcrypt hash, in column 1, has a cost above 15"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t, in.data)
			want := ""
			if in.err != "" {
				want = path + ": " + in.err
			}
			if err := Check(path, in.options); err != nil && err.Error() != want || err == nil && want != "" {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
	if err := Check(newFile(t, "")+"x", Options{}); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestWarnings names what is unwise, and no password.
func TestWarnings(t *testing.T) {
	t.Parallel()
	ctx, log := logged(t)
	path := newFile(t, "wonderland,alice,1\nhunter2,bob,2\n"+udotU+",carol,3\n")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, path, Options{AllowPlainText: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"others than its owner may read or change it (mode 0644)", "it has 2 passwords as plain text; make hashes with stoa hash-password"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "wonderland") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("a password is in the log:\n%s", log)
	}
	for credentials, ok := range map[string]bool{"alice:wonderland": true, "alice:hunter2": false, "bob:hunter2": true, "carol:U*U": true, "alice:wonder": false} {
		if got, err := ask(a, basic(credentials)); (got != nil) != ok {
			t.Errorf("%s: %v, %v", credentials, got, err)
		}
	}
}

// FuzzFile reads files. What is accepted has users who can log in.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{"", udotU + ",a,1", quoted + `,a,1,"x,y"` + "\n" + udotU + ",b,\n", "p,a:b,1", "\xff,a,", "p,a,1\nq,a,2", "$2a$,x,", "$argon2id$v=19$m=1,t=1,p=1$$,a,"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		strict, err := parse("users.csv", data, Options{})
		loose, looseErr := parse("users.csv", data, Options{AllowPlainText: true})
		if err == nil && (looseErr != nil || strict.plain > 0 || len(strict.all) != len(loose.all)) {
			t.Errorf("a file with hashes alone is another one where plain text is allowed: %v", looseErr)
		}
		if looseErr != nil {
			return
		}
		if len(loose.all) == 0 || len(loose.all) != len(loose.byName) {
			t.Errorf("%d users with %d names", len(loose.all), len(loose.byName))
		}
		for name := range loose.byName {
			if name == "" || strings.Contains(name, ":") {
				t.Errorf("nobody can log in as %q", name)
			}
		}
	})
}

// FuzzCredentials reads headers.
func FuzzCredentials(f *testing.F) {
	for _, seed := range []string{"", "Basic", "Basic ", "basic YTpi", "Basic YTpi Bearer x", "Bearer YTpi", "Basic OjpC", "Basic /w=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		name, password, found, err := credentials(map[string][]string{"Authorization": {header}})
		if found != (name != "") || found != (password != "") || found && (err != nil || strings.Contains(name, ":")) {
			t.Errorf("%q, %q, %t, %v", name, password, found, err)
		}
	})
}
