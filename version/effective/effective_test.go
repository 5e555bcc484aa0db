// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package effective

import "testing"

func TestNew(t *testing.T) {
	t.Parallel()
	one, other := New(), New()
	if errs := one.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	got := one.Info()
	for name, pair := range map[string][2]string{
		"major":            {got.Major, "1"},
		"minor":            {got.Minor, "37"},
		"git version":      {got.GitVersion, "v1.37.2"},
		"emulated minor":   {got.EmulationMinor, "37"},
		"compatible minor": {got.MinCompatibilityMinor, "36"},
		"allowed range":    {one.AllowedEmulationVersionRange(), "1.34..1.37(default:1.37)"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
		}
	}

	one.SetEmulationVersion(one.BinaryVersion().SubtractMinor(1))
	if got := one.Info().EmulationMinor; got != "36" {
		t.Errorf("emulated minor is %q, want 36", got)
	}
	if got := other.EmulationVersion().String(); got != "1.37" {
		t.Errorf("the emulated version of another server became %q", got)
	}
}
