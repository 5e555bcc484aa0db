// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package fielderrorstest compares the errors of a validation with those wanted.
package fielderrorstest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Compare demands errors with these texts.
func Compare(t *testing.T, want []string, errs field.ErrorList) {
	t.Helper()
	if diff := cmp.Diff(want, texts(errs)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// ComparePrefixes demands errors whose texts begin so. It is for texts that a library
// ends.
func ComparePrefixes(t *testing.T, want []string, errs field.ErrorList) {
	t.Helper()
	got := texts(errs)
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("errors (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func texts(errs field.ErrorList) []string {
	var out []string
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}
