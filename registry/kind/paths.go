// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// PathRule says what a hub field is called in a served version. In both paths
// [*] stands for any index or key and is carried over; a path that goes on below
// Hub goes on below Versioned. {"spec.quota.hard", "spec.quota"} turns
// spec.quota.hard[cpu] into spec.quota[cpu].
type PathRule struct{ Hub, Versioned string }

// translate rewrites the paths of errors for the version that the request was
// made in, by the first rule that matches each, and shows values as clients know them.
func translate(ctx context.Context, rules map[string][]PathRule, errs field.ErrorList) field.ErrorList {
	showHubValues(errs)
	if len(errs) == 0 || len(rules) == 0 {
		return errs
	}
	info, ok := genericapirequest.RequestInfoFrom(ctx)
	if !ok {
		return errs
	}
	for _, e := range errs {
		e.Field = versionedPath(rules[info.APIVersion], e.Field)
	}
	return errs
}

// versionedPath returns the versioned form of a hub path, by the first of the rules that
// matches it, or the path itself.
func versionedPath(rules []PathRule, path string) string {
	for _, rule := range rules {
		if out, ok := rule.apply(path); ok {
			return out
		}
	}
	return path
}

func (r PathRule) apply(path string) (string, bool) {
	var keys []string
	rest := path
	for i, literal := range strings.Split(r.Hub, "[*]") {
		if i > 0 {
			end := strings.IndexByte(rest, ']')
			if !strings.HasPrefix(rest, "[") || end < 0 {
				return "", false
			}
			keys, rest = append(keys, rest[:end+1]), rest[end+1:]
		}
		if !strings.HasPrefix(rest, literal) {
			return "", false
		}
		rest = rest[len(literal):]
	}
	if rest != "" && rest[0] != '.' && rest[0] != '[' {
		return "", false
	}
	var out strings.Builder
	for i, literal := range strings.Split(r.Versioned, "[*]") {
		if i > 0 && i <= len(keys) {
			out.WriteString(keys[i-1])
		}
		out.WriteString(literal)
	}
	return out.String() + rest, true
}
