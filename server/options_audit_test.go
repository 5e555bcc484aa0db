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

// TestAuditOptions names the flag, the file and what is wrong.
func TestAuditOptions(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const header = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
	sink := file("sink", "apiVersion: v1\nkind: Config\nclusters: [{name: s, cluster: {server: https://s}}]\ncontexts: [{name: c, context: {cluster: s}}]\ncurrent-context: c\n")
	const log, webhook = " --audit-log-path=x", " --audit-webhook-config-file="
	const modes = `allowed modes are "batch,blocking,blocking-strict"`
	for flags, want := range map[string]string{
		"":      "",
		log[1:]: "",
		"--audit-policy-file=" + file("fine", header+"rules: [{level: Metadata}]") + webhook + sink:                    "",
		"--audit-policy-file=" + file("unknown", header+"rules: [{level: Metadata, levels: x}]"):                       "", // a warning, as in Kubernetes
		"--audit-log-maxage=-1 --audit-log-mode=x":                                                                     "", // not used
		"--audit-log-mode=batch --audit-log-batch-throttle-qps=0 --audit-log-truncate-max-batch-size=1000000000" + log: "",
		"--audit-log-truncate-max-event-size=20000000 --audit-log-truncate-max-batch-size=30000000" + log:              "",
		"--audit-log-mode=x" + log:                                                    "--audit-log-mode: invalid audit log mode x, " + modes,
		"--audit-webhook-mode=x" + webhook + sink:                                     "--audit-webhook-mode: invalid audit webhook mode x, " + modes,
		"--audit-log-mode=batch --audit-log-batch-buffer-size=0" + log:                "--audit-log-batch-buffer-size: invalid audit batch log buffer size 0, must be a positive number",
		"--audit-webhook-batch-max-size=-1" + webhook + sink:                          "--audit-webhook-batch-max-size: invalid audit batch webhook max batch size -1, must be a positive number",
		"--audit-webhook-batch-throttle-qps=0" + webhook + sink:                       "--audit-webhook-batch-throttle-qps: invalid audit batch webhook throttle QPS 0, must be a positive number",
		"--audit-webhook-batch-throttle-burst=0" + webhook + sink:                     "--audit-webhook-batch-throttle-burst: invalid audit batch webhook throttle burst 0, must be a positive number",
		"--audit-log-truncate-max-event-size=0" + log:                                 "--audit-log-truncate-max-event-size: invalid audit truncate log max event size 0, must be a positive number",
		"--audit-log-truncate-max-batch-size=1" + log:                                 "--audit-log-truncate-max-batch-size: invalid audit truncate log max batch size 1, must be greater than max event size (102400)",
		"--audit-log-version=audit.k8s.io/v1beta1" + log:                              `--audit-log-version: invalid group version, allowed versions are ["audit.k8s.io/v1"]`,
		"--audit-webhook-version=a/b/c" + webhook + sink:                              "--audit-webhook-version: unexpected GroupVersion string: a/b/c",
		"--audit-log-format=xml" + log:                                                `--audit-log-format: invalid audit log format xml, allowed formats are "legacy,json"`,
		"--audit-log-maxage=-1 --audit-log-maxbackup=-2 --audit-log-maxsize=-3" + log: "[--audit-log-maxage -1 can't be a negative number, --audit-log-maxbackup -2 can't be a negative number, --audit-log-maxsize -3 can't be a negative number]",
		"--audit-policy-file=" + folder + "/none":                                     "--audit-policy-file: open " + folder + "/none: no such file or directory",
		"--audit-policy-file=" + file("empty", " \n"):                                 "--audit-policy-file: " + folder + "/empty: is empty",
		"--audit-policy-file=" + file("rules", header):                                "--audit-policy-file: " + folder + "/rules: loaded illegal policy with 0 rules",
		"--audit-policy-file=" + file("level", header+"rules: [{level: All},{}]"):     "--audit-policy-file: " + folder + `/level: [rules[0].level: Unsupported value: "All": supported values: "None", "Metadata", "Request", "RequestResponse", rules[1].level: Required value]`,
		"--audit-policy-file=" + file("yaml", header+"rules:\n- level: a: b\n"):       "--audit-policy-file: " + folder + "/yaml: failed decoding: yaml: line 4: mapping values are not allowed in this context",
		"--audit-policy-file=" + file("stage", header+"omitStages: [x]\nrules: [{level: None, nonResourceURLs: [x], namespaces: [shop]}]"): "--audit-policy-file: " + folder + `/stage: [omitStages[0]: Invalid value: "x": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic, rules[0].nonResourceURLs[0]: Invalid value: "x": non-resource URL rules must begin with a '/' character, rules[0].nonResourceURLs: Invalid value: ["x"]: rules cannot apply to both regular resources and non-resource URLs]`,
		"--audit-webhook-config-file=" + folder + "/none": "--audit-webhook-config-file: " + folder + "/none: stat " + folder + "/none: no such file or directory",
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			o := server.NewOptions()
			o.DataDir = folder
			if err := o.Flags().Parse(strings.Fields(flags)); err != nil {
				t.Fatal(err)
			}
			completed, err := o.Complete(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			err = completed.Validate()
			if text := errorText(err); text != want {
				t.Errorf("error\n%s\nwant\n%s", text, want)
			}
		})
	}
}

// TestAuditLogErrors finds a log that cannot be written when a server starts.
func TestAuditLogErrors(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	folder := t.TempDir()
	policy := filepath.Join(folder, "policy")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := server.NewOptions()
	o.DataDir, o.Serving.BindPort = filepath.Join(folder, "data"), 0
	o.Audit.PolicyFile, o.Audit.LogOptions.Path = policy, folder
	completed, err := o.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.New(t.Context(), completed)
	if want := "--audit-log-path: open " + folder + ": is a directory"; errorText(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
