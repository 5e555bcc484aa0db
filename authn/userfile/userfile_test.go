// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package userfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/userfile"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]struct {
		data string
		want []userfile.Entry
		err  string
	}{
		"nothing": {},
		"users": {
			data: "\ufeffs1,alice,1,\"dev,ops\"\r\n\ns2,bob,\ns3,\"c,arol\",3,,more\n",
			want: []userfile.Entry{
				{Line: 1, Secret: "s1", User: user.DefaultInfo{Name: "alice", UID: "1", Groups: []string{"dev", "ops"}}},
				{Line: 3, Secret: "s2", User: user.DefaultInfo{Name: "bob"}},
				{Line: 4, Secret: "s3", User: user.DefaultInfo{Name: "c,arol", UID: "3"}},
			},
		},
		"empty secret": {
			data: ",alice,1,\",a,,b,\"",
			want: []userfile.Entry{{Line: 1, User: user.DefaultInfo{Name: "alice", UID: "1", Groups: []string{"a", "b"}}}},
		},
		"two columns":          {data: "s,a,1\nsecret,alice\n", err: "f.csv: line 2: must have at least 3 columns (secret, user name, user UID), has 2"},
		"nobody":               {data: "secret,,1", err: "f.csv: line 1: the user name, in column 2, is empty"},
		"quote that is open":   {data: "s,a,1\n\"secret,alice,1\nx", err: `f.csv: line 3: extraneous or missing " in quoted-field`},
		"quote inside":         {data: "sec\"ret,alice,1", err: `f.csv: line 1: bare " in non-quoted-field`},
		"not UTF-8":            {data: "secret,al\xffice,1", err: "f.csv: line 1: column 2 is not UTF-8"},
		"control character":    {data: "secret,alice,1,\"a\nb\"", err: "f.csv: line 1: column 4 has a control character"},
		"long value":           {data: strings.Repeat("x", 8<<10+1) + ",alice,1", err: "f.csv: line 1: column 1 is longer than 8192 bytes"},
		"many columns, no end": {data: strings.Repeat(",", 10), err: "f.csv: line 1: the user name, in column 2, is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := userfile.Parse("f.csv", []byte(in.data))
			if err != nil && err.Error() != in.err || err == nil && in.err != "" {
				t.Errorf("error %v, want %s", err, in.err)
			}
			if diff := cmp.Diff(in.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.csv")
	if _, err := userfile.Read(path); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	for size, want := range map[int]string{userfile.MaxSize: "", userfile.MaxSize + 1: path + ": longer than 4194304 bytes"} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := userfile.Read(path)
		if err != nil && err.Error() != want || err == nil && (want != "" || len(data) != size) {
			t.Errorf("%d bytes: %d, %v, want %q", size, len(data), err, want)
		}
	}
}

func TestExposed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.csv")
	if _, exposed := userfile.Exposed(path); exposed {
		t.Error("a file that is not there is exposed")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if got, exposed := userfile.Exposed(path); exposed != want || got != mode {
			t.Errorf("mode %v: %v, %t, want %t", mode, got, exposed, want)
		}
	}
}

// FuzzParse finds what no reader of the entries expects.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "t,u,1", "t,u,1,\"a,b\"\n\n\"x\"\"y\",v,", "\ufeff,", "a,b\n", "\"", "\xff,u,1", "t,u,1,,,,\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := userfile.Parse("f.csv", data)
		if err != nil {
			if len(entries) > 0 || !strings.HasPrefix(err.Error(), "f.csv: line ") {
				t.Errorf("%d entries and error %v", len(entries), err)
			}
			return
		}
		last := 0
		for _, e := range entries {
			if e.Line <= last || e.User.Name == "" || !utf8.ValidString(e.Secret+e.User.Name+e.User.UID+strings.Join(e.User.Groups, "")) {
				t.Errorf("entry %+v after line %d", e, last)
			}
			last = e.Line
		}
	})
}
