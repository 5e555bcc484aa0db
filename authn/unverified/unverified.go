// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package unverified reads what a token says of itself, before anybody has verified
// it: enough to choose who verifies it, and to know that it is not worth the trouble.
// Nothing here is to be believed.
package unverified

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// MaxToken is how long a token may be, in bytes. It is far more than any has that is of
// use, and little enough to be looked at before anybody knows who sent it.
const MaxToken = 64 << 10

// Claims are what a token says.
type Claims struct {
	// Issuer may be empty.
	Issuer string
	// Expiry is the zero time if the token has none, or none that can be read.
	Expiry time.Time
}

// Read returns the claims of a JSON web token in the compact form. ok is false for
// anything else.
func Read(token string) (_ Claims, ok bool) {
	if len(token) > MaxToken || strings.Count(token, ".") != 2 {
		return Claims{}, false
	}
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	content, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return Claims{}, false
	}
	var claims struct {
		Issuer string      `json:"iss"`
		Expiry json.Number `json:"exp"`
	}
	// What the issuer is decides who looks at the token: it must be a string.
	if json.Unmarshal(content, &claims) != nil {
		return Claims{}, false
	}
	out := Claims{Issuer: claims.Issuer}
	if seconds, err := claims.Expiry.Float64(); err == nil && seconds > 0 && seconds < 1<<40 {
		out.Expiry = time.Unix(int64(seconds), 0)
	}
	return out, true
}
