// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Algorithm is how a password is hashed.
type Algorithm string

// The algorithms, by the names that users give them.
const (
	Argon2id Algorithm = "argon2id"
	Bcrypt   Algorithm = "bcrypt"
)

const (
	// maxPassword is how long a password may be, in bytes.
	maxPassword = 1024
	// maxBcrypt is how much of a password bcrypt looks at.
	maxBcrypt = 72

	// Of a new hash: what OWASP recommends. Memory is in KiB.
	newTime, newMemory, newThreads = 2, 19 << 10, 1
	newSalt, newSum                = 16, 32
	newCost                        = 12

	// Of a hash in a file: beyond that one check would take seconds, or memory that
	// the server needs.
	maxMemory, maxWork, maxThreads = 256 << 10, 1 << 20, 16
	minSalt, minSum, maxPart       = 8, 16, 64
	maxCost                        = 15
)

// verifier knows one password.
type verifier interface {
	// matches takes the same time for every wrong password.
	matches(password []byte) bool
}

// Hash returns a password as it stands in a file.
func Hash(password []byte, algorithm Algorithm) (string, error) {
	switch {
	case len(password) == 0:
		return "", errors.New("the password is empty")
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password is longer than %d bytes", maxPassword)
	case !utf8.Valid(password):
		return "", errors.New("the password is not UTF-8")
	case strings.ContainsFunc(string(password), unicode.IsControl):
		return "", errors.New("the password has a control character, such as an end of a line")
	}
	switch algorithm {
	case Argon2id:
		h := argon2Hash{time: newTime, memory: newMemory, threads: newThreads, salt: make([]byte, newSalt)}
		_, _ = rand.Read(h.salt) // never fails
		h.sum = h.derive(password, newSum)
		return h.String(), nil
	case Bcrypt:
		if len(password) > maxBcrypt {
			return "", fmt.Errorf("the password is longer than %d bytes, all that bcrypt looks at; use argon2id", maxBcrypt)
		}
		hash, err := bcrypt.GenerateFromPassword(password, newCost)
		return string(hash), err
	default:
		return "", fmt.Errorf("the algorithm must be %s or %s, not %q", Argon2id, Bcrypt, algorithm)
	}
}

// parseHash reads the first column of a file. ok is false for what is no hash at all.
// Its errors do not contain what it has read.
func parseHash(text string) (_ verifier, ok bool, err error) {
	switch {
	case strings.HasPrefix(text, "$argon2"):
		h, err := parseArgon2(text)
		return h, true, err
	case strings.HasPrefix(text, "$2"):
		h, err := parseBcrypt(text)
		return h, true, err
	default:
		return nil, false, nil
	}
}

type bcryptHash []byte

func parseBcrypt(text string) (bcryptHash, error) {
	const length = 60
	if len(text) != length || !strings.ContainsRune("aby", rune(text[2])) || text[3] != '$' {
		return nil, errors.New("the bcrypt hash, in column 1, must begin with $2a$, $2b$ or $2y$ and be 60 bytes long")
	}
	switch cost, err := bcrypt.Cost([]byte(text)); {
	case err != nil:
		return nil, errors.New("the bcrypt hash, in column 1, is malformed")
	case cost > maxCost:
		return nil, fmt.Errorf("the bcrypt hash, in column 1, has a cost above %d", maxCost)
	}
	// It compares what is encoded: what no hash ever is would match nothing.
	const digits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if strings.Trim(text[len("$2a$10$"):], digits) != "" {
		return nil, errors.New("the bcrypt hash, in column 1, is malformed")
	}
	return bcryptHash(text), nil
}

func (h bcryptHash) matches(password []byte) bool {
	same := bcrypt.CompareHashAndPassword(h, password[:min(len(password), maxBcrypt)]) == nil
	return same && len(password) <= maxBcrypt
}

type argon2Hash struct {
	time, memory uint32
	threads      uint8
	salt, sum    []byte
}

// String is the usual form, which parseArgon2 reads.
func (h *argon2Hash) String() string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads, encode(h.salt), encode(h.sum))
}

func parseArgon2(text string) (*argon2Hash, error) {
	const parts = 6
	malformed := errors.New("the argon2id hash, in column 1, must be of the form $argon2id$v=19$m=19456,t=2,p=1$salt$hash, in double quotes")
	part := strings.Split(text, "$")
	if len(part) != parts {
		return nil, malformed
	}
	h := &argon2Hash{}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads); err != nil {
		return nil, malformed
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(part[4]); err != nil {
		return nil, malformed
	}
	if h.sum, err = base64.RawStdEncoding.DecodeString(part[5]); err != nil {
		return nil, malformed
	}
	if h.String() != text { // another variant or version, or another way to write it
		return nil, malformed
	}
	switch {
	case h.time < 1 || h.threads < 1 || h.threads > maxThreads || h.memory < 8*uint32(h.threads) || h.memory > maxMemory ||
		uint64(h.memory)*uint64(h.time) > maxWork:
		return nil, fmt.Errorf("the argon2id hash, in column 1, must have m of at most %d, m times t of at most %d, and p of at most %d",
			maxMemory, maxWork, maxThreads)
	case len(h.salt) < minSalt || len(h.salt) > maxPart || len(h.sum) < minSum || len(h.sum) > maxPart:
		return nil, fmt.Errorf("the argon2id hash, in column 1, must have a salt of %d to %d bytes and a hash of %d to %d", minSalt, maxPart, minSum, maxPart)
	}
	return h, nil
}

func (h *argon2Hash) derive(password []byte, length int) []byte {
	return argon2.IDKey(password, h.salt, h.time, h.memory, h.threads, uint32(length))
}

func (h *argon2Hash) matches(password []byte) bool {
	return subtle.ConstantTimeCompare(h.derive(password, len(h.sum)), h.sum) == 1
}

// plainText is the digest of a password: digests are of one length, so that the time
// of a comparison says nothing about that of the password.
type plainText [sha256.Size]byte

func (p plainText) matches(password []byte) bool {
	digest := sha256.Sum256(password)
	return subtle.ConstantTimeCompare(digest[:], p[:]) == 1
}
