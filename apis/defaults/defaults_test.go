// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package defaults_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stoa-project/stoa/apis/defaults"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	type object struct {
		Count *int32
		Name  string
	}
	unset, set := object{}, object{Count: new(int32(0)), Name: "a"}
	for _, o := range []*object{&unset, &set} {
		defaults.Pointer(&o.Count, 3)
		defaults.Value(&o.Name, "b")
	}
	want := []object{{Count: new(int32(3)), Name: "b"}, {Count: new(int32(0)), Name: "a"}}
	if diff := cmp.Diff(want, []object{unset, set}); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}
