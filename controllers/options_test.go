// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import "testing"

func TestEnabled(t *testing.T) {
	t.Parallel()
	const name = "serviceaccount-controller"
	for _, tc := range []struct {
		names []string
		want  bool
		valid bool
	}{
		{NewOptions().Names, true, true},
		{nil, false, true},
		{[]string{"-*"}, false, true},
		{[]string{"*", "-" + name}, false, true},
		{[]string{"-*", name}, true, true},
		{[]string{name}, true, true},
		{[]string{"*", "gardener"}, true, false},
		{[]string{"-gardener"}, false, false},
	} {
		o := &Options{Names: tc.names}
		if got := o.Enabled(name); got != tc.want {
			t.Errorf("%q: enabled %t, want %t", tc.names, got, tc.want)
		}
		if errs := o.Validate(); (len(errs) == 0) != tc.valid {
			t.Errorf("%q: errors %v, want valid %t", tc.names, errs, tc.valid)
		}
	}
}
