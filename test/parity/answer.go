// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Level is how far two answers agree. Each includes those before it.
type Level int

const (
	// None is a different HTTP status.
	None Level = iota
	// Code is the same HTTP status.
	Code
	// Fields is, for an error, the same reason and the same fields with the same
	// kinds of cause; for an accepted request the same fields changed.
	Fields
	// Exact is the same messages, warnings and values.
	Exact
)

func (l Level) String() string { return []string{"none", "code", "fields", "exact"}[l] }

// answer is what of a response is compared.
type answer struct {
	Code     int      `json:"code"`
	Delta    []change `json:"delta,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Causes   []cause  `json:"causes,omitempty"`
	Message  string   `json:"message,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// change is a field, by its path, with its new value; nil if it went away.
type change struct {
	path  []string
	value any
}

// cause is field, reason and message of an error.
type cause [3]string

// UnmarshalJSON implements json.Unmarshaler: a change is [path, value].
func (c *change) UnmarshalJSON(data []byte) error {
	parts := []json.RawMessage{}
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if err := json.Unmarshal(parts[0], &c.path); err != nil {
		return err
	}
	var err error
	if len(parts) > 1 {
		c.value, err = parse(parts[1])
	}
	return err
}

// MarshalJSON implements json.Marshaler.
func (c change) MarshalJSON() ([]byte, error) { return marshal([]any{c.path, c.value}) }

func agree(want, got answer) Level {
	if want.Code != got.Code {
		return None
	}
	if want.Code >= 200 && want.Code < 300 {
		return agreeOnObject(want, got)
	}
	kinds := func(a answer) []cause {
		var out []cause
		for _, c := range a.Causes {
			out = append(out, cause{c[0], c[1]})
		}
		slices.SortFunc(out, compareCauses)
		return slices.Compact(out)
	}
	switch {
	case want.Reason != got.Reason || !slices.Equal(kinds(want), kinds(got)):
		return Code
	case !slices.Equal(want.Causes, got.Causes) || want.Message != got.Message:
		return Fields
	}
	return Exact
}

func agreeOnObject(want, got answer) Level {
	if !slices.EqualFunc(want.Delta, got.Delta, func(a, b change) bool { return slices.Equal(a.path, b.path) }) {
		return Code
	}
	same := slices.EqualFunc(want.Delta, got.Delta, func(a, b change) bool { return equal(a.value, b.value) })
	if !same || !slices.Equal(want.Warnings, got.Warnings) {
		return Fields
	}
	return Exact
}

func compareCauses(a, b cause) int { return slices.Compare(a[:], b[:]) }

// newAnswer takes what is compared from a response. without is the object as the
// server answers without the case's change, sent the request.
func newAnswer(r response, without, sent any) answer {
	out := answer{Code: r.code, Warnings: slices.Sorted(slices.Values(r.warnings))}
	if r.ok() {
		out.Delta = delta(without, normalize(clone(r.body), sent, ""), nil)
		return out
	}
	out.Reason = r.body.text("reason")
	causes, _ := r.body.in("details", "causes").([]any)
	for _, item := range causes {
		c, _ := item.(*object)
		out.Causes = append(out.Causes, cause{c.text("field"), c.text("reason"), steady(c.text("message"))})
	}
	slices.SortFunc(out.Causes, compareCauses)
	if len(causes) == 0 {
		const compared = 400
		message := []rune(steady(r.body.text("message")))
		out.Message = string(message[:min(len(message), compared)])
	}
	return out
}

// delta lists what changed from a to b.
func delta(a, b any, path []string) []change {
	x, isObject := a.(*object)
	y, areObjects := b.(*object)
	if !isObject || !areObjects {
		if equal(a, b) || isTime(a) && isTime(b) {
			return nil // no case changes a time into another one; the server does
		}
		return []change{{slices.Clone(path), b}}
	}
	keys := slices.Concat(x.keys, y.keys)
	slices.Sort(keys)
	var out []change
	for _, key := range slices.Compact(keys) {
		before, had := x.values[key]
		after, has := y.values[key]
		at := append(slices.Clone(path), key)
		switch {
		case !has:
			out = append(out, change{at, nil})
		case !had:
			out = append(out, change{at, after})
		default:
			out = append(out, delta(before, after, at)...)
		}
	}
	return out
}

func isTime(value any) bool {
	text, ok := value.(string)
	return ok && timePattern.MatchString(text)
}

var (
	timePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`)
	uidPattern  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	ipPattern   = regexp.MustCompile(`\b10\.0\.0\.\d{1,3}\b`) // --service-cluster-ip-range is 10.0.0.0/24
	randPattern = regexp.MustCompile(`kube-api-access-[a-z0-9]{5}\b`)
)

// steady takes out of a text what differs from run to run.
func steady(s string) string {
	s = ipPattern.ReplaceAllString(uidPattern.ReplaceAllString(s, "<uid>"), "<ip>")
	return randPattern.ReplaceAllString(s, "kube-api-access-<rand>")
}

// normalize takes out of an object what differs from run to run, but for what the
// request set. It changes value.
func normalize(value, sent any, key string) any {
	switch v := value.(type) {
	case *object:
		return normalizeObject(v, sent, key)
	case []any:
		list, _ := sent.([]any)
		for i := range v {
			var item any
			if i < len(list) {
				item = list[i]
			}
			v[i] = normalize(v[i], item, key)
		}
		return v
	case string:
		if sent == nil {
			return normalizeText(v, key)
		}
	}
	if sent == nil && (key == "nodePort" || key == "healthCheckNodePort") {
		return "<port>"
	}
	return value
}

func normalizeObject(v *object, sent any, key string) any {
	if status, ok := v.get("status").(*object); ok && strings.HasSuffix(v.text("kind"), "AccessReview") && status.text("reason") != "" {
		status.set("reason", "<reason>") // several rules may allow; which one is named is chance
	}
	for _, rules := range []string{"resourceRules", "nonResourceRules"} {
		if list, ok := v.get(rules).([]any); ok && key == "status" {
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(canonical(a), canonical(b)) })
		}
	}
	if key == "metadata" {
		for _, name := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink"} {
			v.remove(name)
		}
	}
	sentObject, _ := sent.(*object)
	for _, name := range v.keys {
		v.values[name] = normalize(v.values[name], sentObject.get(name), name)
	}
	return v
}

func normalizeText(s, key string) any {
	switch {
	case timePattern.MatchString(s):
		return "<time>"
	case slices.Contains([]string{"clusterIP", "clusterIPs", "ip", "healthCheckNodePort"}, key):
		if s == "None" {
			return s
		}
		return "<ip>"
	case key == "token":
		return "<token>"
	}
	return steady(s)
}
