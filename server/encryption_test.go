// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stoa-project/stoa/server"
)

// TestEncryptionConfigErrors names the flag, the file and the field, and no key, even
// where a key is in the wrong place.
func TestEncryptionConfigErrors(t *testing.T) {
	t.Parallel()
	const key = "dGhpcy1pcy1hLWtleS1vZi0zMi1ieXRlcy1sb25nISE="
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers: "
	const path = "resources[0].providers[0]"
	for name, tc := range map[string]struct{ config, want string }{
		"fine":            {head + "[{aescbc: {keys: [{name: a, secret: KEY}]}}, {identity: {}}]", ""},
		"empty":           {" \n", "is empty"},
		"no kind":         {"resources: [{aescbc: {keys: [{name: a, secret: KEY}]}}]", "apiVersion must be apiserver.config.k8s.io/v1, and kind EncryptionConfiguration"},
		"other kind":      {"apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration", "apiVersion must be apiserver.config.k8s.io/v1, and kind EncryptionConfiguration"},
		"no resources":    {"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration", "resources: Required value: at least one resources is required"},
		"two in one":      {head + "[{aescbc: {keys: [{name: a, secret: KEY}]}, identity: {}}]", path + ": Invalid value: more than one provider specified in a single element, should split into different list elements"},
		"no base64":       {head + "[{aesgcm: {keys: [{name: a, secret: 'KEY!'}]}}]", path + `.aesgcm.keys[0].secret: Invalid value: "REDACTED": secrets must be base64 encoded`},
		"short key":       {head + "[{secretbox: {keys: [{name: a, secret: c2hvcnQ=}]}}]", path + `.secretbox.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 5, expected one of [32]`},
		"unknown field":   {head + "[{aescbc: {keys: [{name: a, secrt: KEY}]}}]", `strict decoding error: unknown field "` + path + `.aescbc.keys[0].secrt"`},
		"key as a field":  {head + "[{aescbc: {keys: [{name: a, KEY}]}}]", `strict decoding error: unknown field "` + path + `.aescbc.keys[0].REDACTED"`},
		"key as timeout":  {head + "[{kms: {apiVersion: v2, name: a, endpoint: 'unix:///a', timeout: KEY}}]", `time: invalid duration "REDACTED"`},
		"key as endpoint": {head + "[{kms: {apiVersion: v2, name: a, endpoint: KEY}}]", path + `.kms.endpoint: Invalid value: "REDACTED": unsupported scheme "" for KMS provider, only unix is supported`},
		"a path":          {head + "[{kms: {apiVersion: v2, name: a, endpoint: 'tcp:///run/plugins/number2/socket'}}]", path + `.kms.endpoint: Invalid value: "tcp:///run/plugins/number2/socket": unsupported scheme "tcp" for KMS provider, only unix is supported`},
		"no YAML":         {head + "[{aescbc: {keys: [{name: a, secret: \"KEY}]}}]", "yaml: line 5: found unexpected end of stream"},
		"masked":          {head + "[{identity: {}}]\n- {resources: ['*'], providers: [{identity: {}}]}", `resources[1].resources[0]: Invalid value: "*": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "encryption.yaml")
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(tc.config, "KEY", key)), 0o600); err != nil {
				t.Fatal(err)
			}
			got := encryptionProblem(t, "--encryption-provider-config="+file)
			want := tc.want
			if want != "" {
				want = "--encryption-provider-config: " + file + ": " + want
			}
			if got != want {
				t.Errorf("error %q, want %q", got, want)
			}
		})
	}
	for flags, want := range map[string]string{
		"--encryption-provider-config=/nosuch":               "--encryption-provider-config: open /nosuch: no such file or directory",
		"--encryption-provider-config-automatic-reload=true": "--encryption-provider-config-automatic-reload must be set with --encryption-provider-config",
	} {
		if got := encryptionProblem(t, flags); got != want {
			t.Errorf("%s: error %q, want %q", flags, got, want)
		}
	}
}

func encryptionProblem(t *testing.T, flag string) string {
	t.Helper()
	o := server.NewOptions()
	o.DataDir = ""
	if err := o.Flags().Parse([]string{flag}); err != nil {
		t.Fatal(err)
	}
	completed, err := o.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := completed.Validate(); err != nil {
		return err.Error()
	}
	return ""
}
