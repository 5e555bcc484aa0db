// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package fielderrors_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	at := field.NewPath("a")
	unsupported := []string{`a: Unsupported value: "x": supported values: "z", "y"`}
	for name, test := range map[string]struct {
		errs field.ErrorList
		want []string
	}{
		"each":                 {fielderrors.Each(at, 1, []string{"odd", "small"}), []string{"a: Invalid value: 1: odd", "a: Invalid value: 1: small"}},
		"each of none":         {fielderrors.Each(at, 1, nil), nil},
		"one of":               {fielderrors.OneOf(at, "y", "z", "y"), nil},
		"not one of":           {fielderrors.OneOf(at, "x", "z", "y"), unsupported},
		"empty":                {fielderrors.OneOf(at, "", "z"), []string{`a: Unsupported value: "": supported values: "z"`}},
		"empty though allowed": {fielderrors.OneOf(at, "", ""), nil},
		"required":             {fielderrors.RequireOneOf(at, "", "z"), []string{"a: Required value"}},
		"required, another":    {fielderrors.RequireOneOf(at, "x", "z", "y"), unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, test.want, test.errs)
		})
	}
}
