// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

func TestVersionedPath(t *testing.T) {
	t.Parallel()
	rules := []PathRule{
		{"spec.owners[*].name", "spec.owners[*]"},
		{"spec.quota.hard", "spec.quota"},
		{"spec.map[*].list[*].x", "spec.flat[*]"},
		{"spec.limit", "spec.maxNamespaces"},
		{"spec.namespaces", "spec"},
	}
	for hub, want := range map[string]string{
		"spec.owners[3].name":         "spec.owners[3]",
		"spec.owners[3].kind":         "spec.owners[3].kind",
		"spec.owners":                 "spec.owners",
		"spec.quota.hard":             "spec.quota",
		"spec.quota.hard[cpu]":        "spec.quota[cpu]",
		"spec.quota.harder":           "spec.quota.harder",
		"spec.map[a.b/c].list[0].x.y": "spec.flat[a.b/c].y",
		"spec.map[a]":                 "spec.map[a]",
		"spec.map[a":                  "spec.map[a",
		"spec.limit":                  "spec.maxNamespaces",
		"spec.limits":                 "spec.limits",
		"spec.namespaces.labels":      "spec.labels",
		"":                            "",
	} {
		if got := versionedPath(rules, hub); got != want {
			t.Errorf("%s became %s, want %s", hub, got, want)
		}
	}
}

func TestTranslateByVersion(t *testing.T) {
	t.Parallel()
	rules := map[string][]PathRule{"v1alpha1": {{"spec.limit", "spec.maxNamespaces"}}}
	for version, want := range map[string]string{"v1": "spec.limit", "v1alpha1": "spec.maxNamespaces"} {
		ctx := genericapirequest.WithRequestInfo(t.Context(), &genericapirequest.RequestInfo{APIVersion: version})
		errs := translate(ctx, rules, field.ErrorList{field.Required(field.NewPath("spec", "limit"), "")})
		if diff := cmp.Diff(want, errs[0].Field); diff != "" {
			t.Errorf("in %s (-want +got):\n%s", version, diff)
		}
	}
	errs := translate(t.Context(), rules, field.ErrorList{field.Required(field.NewPath("spec", "limit"), "")})
	if errs[0].Field != "spec.limit" {
		t.Errorf("without a request the path became %s", errs[0].Field)
	}
}

func FuzzVersionedPath(f *testing.F) {
	f.Add("spec.owners[*].name", "spec.owners[*]", "spec.owners[3].name")
	f.Add("a[*]", "[*][*]", "a[b")
	f.Fuzz(func(t *testing.T, hub, versioned, path string) {
		got := versionedPath([]PathRule{{hub, versioned}}, path)
		if _, matches := (PathRule{hub, versioned}).apply(path); !matches && got != path {
			t.Errorf("rule %q does not match %q but made %q of it", hub, path, got)
		}
	})
}
