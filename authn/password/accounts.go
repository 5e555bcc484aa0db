// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/userfile"
)

// accounts are the users of a file. They do not change; another file makes others.
type accounts struct {
	byName map[string]*account
	all    []*account // at least one
	// plain is how many passwords are not hashed.
	plain int
}

// account is a user and his password.
type account struct {
	verifier

	user user.Info
	// verified is what was right last; nil if nothing was yet.
	verified atomic.Pointer[proof]
}

// proof stands for a user name and a password that were found to be right.
type proof struct {
	mac   [sha256.Size]byte
	until time.Time
}

// remembers says whether a name and a password were found to be right lately.
func (a *account) remembers(mac [sha256.Size]byte, now time.Time) bool {
	last := a.verified.Load()
	return last != nil && hmac.Equal(last.mac[:], mac[:]) && now.Before(last.until)
}

// parse reads the users of a file. Its errors name the line, and nothing that is in
// it: who has mixed up the columns has a password where the name should be.
func parse(path string, data []byte, o Options) (*accounts, error) {
	entries, err := userfile.Parse(path, data)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: has no users", path)
	}
	out, lines := &accounts{byName: map[string]*account{}}, map[string]int{}
	for _, e := range entries {
		v, err := o.verifier(e.Secret)
		name := e.User.Name
		switch before := lines[name]; {
		case err != nil:
		case strings.Contains(name, ":"):
			err = errors.New("the user name, in column 2, has a colon, which ends a name in HTTP basic authentication")
		case before > 0:
			err = fmt.Errorf("the user name, in column 2, is that of line %d", before)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, e.Line, err)
		}
		if _, ok := v.(plainText); ok {
			out.plain++
		}
		lines[name] = e.Line
		out.byName[name] = &account{verifier: v, user: &e.User}
		out.all = append(out.all, out.byName[name])
	}
	return out, nil
}

// verifier reads the first column.
func (o Options) verifier(text string) (verifier, error) {
	v, hashed, err := parseHash(text)
	switch {
	case text == "":
		return nil, errors.New("the password, in column 1, is empty")
	case hashed:
		return v, err
	case !o.AllowPlainText:
		return nil, errors.New("the password, in column 1, is not a bcrypt or argon2id hash; make one with stoa hash-password, or set --basic-auth-allow-plain-text")
	case len(text) > maxPassword:
		return nil, fmt.Errorf("the password, in column 1, is longer than %d bytes", maxPassword)
	default:
		return plainText(sha256.Sum256([]byte(text))), nil
	}
}

// warnings are what whoever runs the server should know.
func (a *accounts) warnings(path string) []string {
	var out []string
	if mode, exposed := userfile.Exposed(path); exposed {
		out = append(out, fmt.Sprintf("others than its owner may read or change it (mode %04o)", mode))
	}
	if a.plain > 0 {
		out = append(out, fmt.Sprintf("it has %d passwords as plain text; make hashes with stoa hash-password", a.plain))
	}
	return out
}
