// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// canonical writes a value with sorted keys, one space after commas and colons,
// and in ASCII: the form in which the corpus hashes OpenAPI schemas.
func canonical(value any) string {
	var out strings.Builder
	writeCanonical(&out, value)
	return out.String()
}

// hash is how the corpus names a schema.
func hash(value any) string {
	const kept = 8 // bytes
	sum := sha256.Sum256([]byte(canonical(value)))
	return hex.EncodeToString(sum[:kept])
}

func writeCanonical(out *strings.Builder, value any) {
	switch v := value.(type) {
	case *object:
		out.WriteByte('{')
		for i, key := range slices.Sorted(slices.Values(v.keys)) {
			if i > 0 {
				out.WriteString(", ")
			}
			writeText(out, key)
			out.WriteString(": ")
			writeCanonical(out, v.values[key])
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteString(", ")
			}
			writeCanonical(out, item)
		}
		out.WriteByte(']')
	case string:
		writeText(out, v)
	case json.Number:
		out.WriteString(v.String())
	case nil:
		out.WriteString("null")
	default:
		fmt.Fprint(out, v)
	}
}

func writeText(out *strings.Builder, s string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}
	out.WriteByte('"')
	for _, r := range s {
		switch escape, ok := short[r]; {
		case ok:
			out.WriteString(escape)
		case r >= ' ' && r < 0x7f:
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(out, `\u%04x`, r)
		}
	}
	out.WriteByte('"')
}
