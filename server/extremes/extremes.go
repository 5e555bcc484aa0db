// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package extremes keeps values away from the server that are well formed and do harm.
//
// Exponents of quantities have no bound: to read 1e-999999999, and to compare 1e999999999
// with anything, takes numbers of a thousand million digits, and nothing stops that once
// it has begun. So bodies are looked at before they are decoded.
//
// The time 9999-12-31T23:59:59-01:00 is in the year 10000 as times are stored, which is no
// time for who reads it: the object, and each list that it is in, could not be read again.
//
// That costs a look at each byte. Only a body with something like one of these is read as
// its type says, since the same text is good in other fields: 1e23456 can be a commit.
package extremes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor/direct"
	"sigs.k8s.io/yaml"
)

// maxDigits is how many digits the exponent of a quantity may have.
const maxDigits = 3

// maxYear is the last one that a time may be in.
const maxYear = 9999

// isFar says whether a text, if it is a quantity, has too many digits in its exponent.
func isFar(text string) bool {
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return false
	}
	digits := strings.TrimLeft(strings.TrimSpace(text[at+1:]), "+-")
	return len(strings.TrimLeft(digits, "0")) > maxDigits && strings.Trim(digits, "0123456789") == ""
}

// isOut says whether a time is in a year that cannot be read.
func isOut(t time.Time) bool {
	year := t.UTC().Year()
	return !t.IsZero() && (year < 0 || year > maxYear)
}

func refuse(path, why string) error {
	return apierrors.NewBadRequest(strings.TrimPrefix(path, ".") + ": Invalid value: " + why)
}

func refuseFar(path string) error {
	return refuse(path, fmt.Sprintf("the exponent of a quantity must not have more than %d digits", maxDigits))
}

func refuseOut(path string) error {
	return refuse(path, fmt.Sprintf("must be in the years 0 to %d, in UTC", maxYear))
}

// edges are what times begin with that may be in another year in UTC.
var edges = [][]byte{[]byte("9999-12-3"), []byte("0000-01-0")} //nolint:gochecknoglobals // constant

// suspect says whether a body may have a quantity or a time in it that does harm.
func suspect(body []byte, mediaType string) bool {
	switch {
	case mediaType == runtime.ContentTypeCBOR:
		return true // has many ways to write a text, and nearly nobody sends it
	case mediaType == runtime.ContentTypeYAML && json.Valid(body):
		mediaType = runtime.ContentTypeJSON
	}
	for _, edge := range edges {
		if bytes.Contains(body, edge) {
			return true
		}
	}
	for i, c := range body {
		switch c {
		case seconds:
			if mediaType == runtime.ContentTypeProtobuf && distant(body[i+1:]) {
				return true
			}
		case 'e', 'E':
			if exponent(body[i+1:]) {
				return true
			}
		case '\\': // may be any character
			if mediaType == runtime.ContentTypeYAML || mediaType == runtime.ContentTypeJSON && escapes(body[i+1:]) {
				return true
			}
		case '!': // a tag may say that a text is in base64
			if mediaType == runtime.ContentTypeYAML {
				return true
			}
		}
	}
	return false
}

func exponent(rest []byte) bool {
	if len(rest) > 0 && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	digits := 0
	for _, c := range rest {
		if c == '\\' {
			return digits > 0 // the next may be an escaped one
		}
		if c < '0' || c > '9' {
			return false
		}
		if digits++; digits > maxDigits {
			return true
		}
	}
	return false
}

// seconds is the tag of the field of a time in protobuf that has its seconds since 1970.
const seconds = 0x08

// distant says whether a number in protobuf may be the seconds of a time after the year
// 9999, or long before 1970: those have six bytes or more.
func distant(rest []byte) bool {
	return len(rest) > 5 && rest[0]&rest[1]&rest[2]&rest[3]&rest[4] >= 0x80
}

// escapes says whether what follows a backslash in JSON is a character of an exponent, or
// of a date.
func escapes(rest []byte) bool {
	if len(rest) < 5 || rest[0] != 'u' {
		return false
	}
	switch code := strings.ToLower(string(rest[1:5])); code {
	case "0065", "0045", "002b", "002d":
		return true
	default:
		return strings.HasPrefix(code, "003") && code[3] <= '9'
	}
}

// check refuses a body with a quantity or a time that does harm, where type t has one.
func check(body []byte, mediaType string, t reflect.Type) error {
	if !has(t, map[reflect.Type]bool{}) {
		return nil
	}
	switch mediaType {
	case runtime.ContentTypeCBOR:
		var content any
		if direct.Unmarshal(body, &content) != nil {
			return nil // whoever decodes it will say what is wrong
		}
		return checkValue(content, t, "")
	case runtime.ContentTypeYAML:
		converted, err := yaml.YAMLToJSON(body)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		body = converted
	}
	if !json.Valid(body) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	return checkNext(decoder, t, "")
}

// checkNext checks the next value of decoder. It reads token by token: a field that is
// there twice is decoded twice.
func checkNext(decoder *json.Decoder, t reflect.Type, path string) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return err
			}
			name := fmt.Sprint(key)
			if err := checkNext(decoder, field(t, name), path+"."+name); err != nil {
				return err
			}
		}
	case json.Delim('['):
		for i := 0; decoder.More(); i++ {
			if err := checkNext(decoder, element(t), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	default:
		return checkText(token, t, path)
	}
	_, err = decoder.Token() // the end
	return err
}

func checkValue(value any, t reflect.Type, path string) error {
	switch value := value.(type) {
	case map[string]any:
		for name, content := range value {
			if err := checkValue(content, field(t, name), path+"."+name); err != nil {
				return err
			}
		}
	case []any:
		for i, content := range value {
			if err := checkValue(content, element(t), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	default:
		return checkText(value, t, path)
	}
	return nil
}

func checkText(value any, t reflect.Type, path string) error {
	text := fmt.Sprint(value)
	if isQuantity(t) && isFar(text) {
		return refuseFar(path)
	}
	if isTime(t) {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil && isOut(at) {
			return refuseOut(path)
		}
	}
	return nil
}
