// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/userfile"
	"github.com/stoa-project/stoa/reload"
)

const (
	// rememberFor is how long a password that was right is not hashed again. One that
	// is changed in the file is forgotten at once.
	rememberFor = time.Minute
	// maxSlots is how many hashes are computed at once, on a large machine.
	maxSlots = 4
	// maxWaiting is how many requests wait for a hash. More are refused.
	maxWaiting = 64
	// maxHeader is how long encoded credentials may be.
	maxHeader = 4 << 10
)

// Errors are for the log; clients see 401. They are the same for whatever is wrong.
var (
	errInvalid   = errors.New("invalid user name or password")
	errMalformed = errors.New("malformed header of basic authentication")
	errBusy      = errors.New("too many passwords are being checked")
)

// Options say which files are accepted.
type Options struct {
	// AllowPlainText accepts passwords that are not hashed.
	AllowPlainText bool
}

// Authenticator is an authenticator.Request.
type Authenticator struct {
	path    string
	options Options
	users   atomic.Pointer[accounts]
	// digest is that of the file that New read.
	digest reload.Digest
	// key makes what is remembered worthless outside of this process.
	key     [sha256.Size]byte
	slots   chan struct{}
	waiting atomic.Int32
}

var _ authenticator.Request = (*Authenticator)(nil)

// New reads a file, and says in the log what is unwise about it. ctx carries the
// logger.
func New(ctx context.Context, path string, o Options) (*Authenticator, error) {
	data, err := userfile.Read(path)
	if err != nil {
		return nil, err
	}
	users, err := parse(path, data, o)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{
		path: path, options: o, digest: reload.Sum(data),
		slots: make(chan struct{}, min(maxSlots, max(1, runtime.GOMAXPROCS(0)/2))),
	}
	_, _ = rand.Read(a.key[:]) // never fails
	a.use(ctx, users)
	return a, nil
}

// use takes the users from now on.
func (a *Authenticator) use(ctx context.Context, users *accounts) {
	for _, warning := range users.warnings(a.path) {
		klog.FromContext(ctx).Info("The file of --basic-auth-file is used in spite of a problem", "file", a.path, "problem", warning)
	}
	a.users.Store(users)
}

// Check reports what is wrong with a file.
func Check(path string, o Options) error {
	data, err := userfile.Read(path)
	if err == nil {
		_, err = parse(path, data, o)
	}
	return err
}

// AuthenticateRequest implements authenticator.Request. Callers must not change the
// response.
func (a *Authenticator) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	name, password, found, err := credentials(r.Header)
	if !found || err != nil {
		return nil, false, err
	}
	users := a.users.Load()
	mac := a.mac(name, password)
	candidate, known := users.byName[name]
	if !known {
		// Always the same one for a name: the time of an answer does not change either.
		candidate = users.all[binary.BigEndian.Uint64(a.nameMAC(name))%uint64(len(users.all))]
	}
	response := &authenticator.Response{User: candidate.user}
	if candidate.remembers(mac, time.Now()) {
		return response, true, nil
	}
	if err := a.acquire(r.Context()); err != nil {
		return nil, false, err
	}
	defer func() { <-a.slots }()
	// Of many requests of one user that came together, the first has done the work.
	if candidate.remembers(mac, time.Now()) {
		return response, true, nil
	}
	if !candidate.matches([]byte(password)) || !known {
		return nil, false, errInvalid
	}
	candidate.verified.Store(&proof{mac: mac, until: time.Now().Add(rememberFor)})
	return response, true, nil
}

// acquire waits for the right to compute a hash.
func (a *Authenticator) acquire(ctx context.Context) error {
	defer a.waiting.Add(-1)
	if a.waiting.Add(1) > maxWaiting {
		return errBusy
	}
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errBusy, context.Cause(ctx))
	}
}

// mac stands for a name and a password. The length of the name keeps "a", "bc" apart
// from "ab", "c".
func (a *Authenticator) mac(name, password string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, a.key[:])
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(name))))
	h.Write([]byte(name))
	h.Write([]byte(password))
	h.Sum(sum[:0])
	return sum
}

// nameMAC stands for a name alone.
func (a *Authenticator) nameMAC(name string) []byte {
	h := hmac.New(sha256.New, a.key[:])
	h.Write([]byte(name))
	return h.Sum(nil)
}

// credentials returns what a request shows. found is false for one that shows
// nothing, or something for another authenticator.
func credentials(header http.Header) (name, password string, found bool, err error) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return "", "", false, nil
	}
	scheme, encoded, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(scheme, "basic") {
		return "", "", false, nil
	}
	// What is in front of the server may have looked at another one of two headers.
	if len(values) > 1 || len(encoded) > maxHeader {
		return "", "", false, errMalformed
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	// RFC 7617 has no control characters. bcrypt could not tell "a\x00a" from "a".
	if err != nil || !utf8.Valid(decoded) || bytes.ContainsFunc(decoded, unicode.IsControl) {
		return "", "", false, errMalformed
	}
	name, password, ok := strings.Cut(string(decoded), ":")
	switch {
	case !ok:
		return "", "", false, errMalformed
	case name == "" || password == "" || len(password) > maxPassword:
		return "", "", false, errInvalid
	default:
		return name, password, true, nil
	}
}
