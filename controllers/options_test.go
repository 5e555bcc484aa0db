// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

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
		o := NewOptions()
		o.Names = tc.names
		if got := o.Enabled(name); got != tc.want {
			t.Errorf("%q: enabled %t, want %t", tc.names, got, tc.want)
		}
		if errs := o.Validate(); (len(errs) == 0) != tc.valid {
			t.Errorf("%q: errors %v, want valid %t", tc.names, errs, tc.valid)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		flags []string
		want  string // errors, one in a line
	}{
		"defaults":            {nil, ""},
		"those of Kubernetes": {[]string{"--leader-elect", "--leader-elect-lease-duration=15s", "--leader-elect-renew-deadline=10s", "--leader-elect-retry-period=2s"}, ""},
		"short lease": {[]string{"--leader-elect-lease-duration=10s"},
			"--leader-elect-lease-duration must be at least --leader-elect-renew-deadline and --leader-elect-retry-period together: a leader must stop before another one begins"},
		"part of a second": {[]string{"--leader-elect-lease-duration=11900ms", "--leader-elect-retry-period=1500ms"},
			"--leader-elect-lease-duration must be at least --leader-elect-renew-deadline and --leader-elect-retry-period together: a leader must stop before another one begins"},
		"short deadline": {[]string{"--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=2s"},
			"--leader-elect-renew-deadline must be more than 1.2 times --leader-elect-retry-period"},
		"no deadline": {[]string{"--leader-elect-renew-deadline=0s", "--leader-elect-retry-period=0s"},
			"--leader-elect-renew-deadline must be at least 1s\n--leader-elect-retry-period must be positive\n--leader-elect-renew-deadline must be more than 1.2 times --leader-elect-retry-period"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := NewOptions()
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			o.AddFlags(flags)
			if err := flags.Parse(tc.flags); err != nil {
				t.Fatal(err)
			}
			if got := o.LeaderElect != nil && *o.LeaderElect; got != slices.Contains(tc.flags, "--leader-elect") {
				t.Errorf("leader election %t", got)
			}
			if got := errors.Join(o.Validate()...); (got != nil || tc.want != "") && (got == nil || got.Error() != tc.want) {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	NewOptions().AddFlags(flags)
	if err, want := flags.Parse([]string{"--leader-elect=maybe"}), `invalid argument "maybe" for "--leader-elect" flag: must be true or false`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestValidate names the flag, and the file, of each mistake.
func TestValidate(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no CA there":  {func(o *Options) { o.RootCAFile = "/none" }, "--root-ca-file: open /none: no such file or directory"},
		"no CA in it":  {func(o *Options) { o.RootCAFile = file }, "--root-ca-file: " + file + ": data does not contain any valid RSA or ECDSA certificates"},
		"no key":       {func(o *Options) { o.SigningCertFile = file }, "--cluster-signing-cert-file and --cluster-signing-key-file must be set together"},
		"no signer":    {func(o *Options) { o.SigningCertFile, o.SigningKeyFile = file, file }, "--cluster-signing-cert-file and --cluster-signing-key-file: " + file + " and " + file + ": tls: failed to find any PEM data in certificate input"},
		"no duration":  {func(o *Options) { o.SigningDuration = 0 }, "--cluster-signing-duration must be positive"},
		"a role path":  {func(o *Options) { o.CreatorRole = "a/b" }, `--namespace-creator-role: "a/b" may not contain '/'`},
		"no role":      {func(o *Options) { o.CreatorRole = "" }, ""},
		"the defaults": {func(*Options) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := NewOptions()
			tc.change(o)
			got := ""
			if err := errors.Join(o.Validate()...); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
