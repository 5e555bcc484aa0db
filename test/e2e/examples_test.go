// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSeeds applies the examples of the documents that the project began with, in both
// ways, and makes what can only be made.
func TestSeeds(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	const all = "apiservice.apiregistration.k8s.io/v1beta1.metrics.k8s.io DONE\nflowschema.flowcontrol.apiserver.k8s.io/my-nodes DONE\n" +
		"prioritylevelconfiguration.flowcontrol.apiserver.k8s.io/my-system DONE\nrolebinding.rbac.authorization.k8s.io/read-pods-group DONE\npod/my-pod DONE\n" +
		"serviceaccount/my-app DONE\nrole.rbac.authorization.k8s.io/pod-reader DONE\nrolebinding.rbac.authorization.k8s.io/read-pods DONE\n"
	done := func(what string) string { return strings.ReplaceAll(all, "DONE", what) }
	for _, c := range []step{
		{args: "wait serviceaccount/default --for=create --timeout=60s", want: "serviceaccount/default condition met\n"}, // pods need it
		{args: "apply --server-side --dry-run=server -f examples/seeds", want: done("serverside-applied (server dry run)")},
		{args: "apply -f examples/seeds", want: done("created")},
		{args: "apply -f examples/seeds", want: done("unchanged")},
		{args: "diff -f examples/seeds"},
		{args: "apply --server-side --force-conflicts -f examples/seeds", want: done("serverside-applied")},
		{args: "diff --server-side -f examples/seeds"},
		{args: "auth can-i list pods --as=system:serviceaccount:default:my-app", want: "yes\n"},
		{args: "auth can-i list configmaps --as=system:serviceaccount:default:x --as-group=system:serviceaccounts:default", want: "yes\n"},
		{args: "create -f examples/seeds/create/binding.yaml", want: "status/<unknown> created\n"},
		{args: "get pod my-pod -o jsonpath={.spec.nodeName}", want: "worker-1"},
		{args: "create -f examples/seeds/create/tokenreview.yaml -o jsonpath={.status}", want: `{"error":"invalid bearer token","user":{}}`},
		{args: "get apiservice v1beta1.metrics.k8s.io --no-headers", want: `^v1beta1.metrics.k8s.io +kube-system/metrics-server +False \(ServiceNotFound\) +\d+s\n$`},
	} {
		c.run(t, s)
	}
}

// TestSeedFiles starts a server with the files of the same documents.
func TestSeedFiles(t *testing.T) {
	t.Parallel()
	integration(t)
	dir := folder(t)
	log := filepath.Join(filepath.Dir(dir), "audit.log")
	s := start(t, dir, "--audit-log-path="+log, "--audit-policy-file="+filepath.Join(root, "examples", "seeds", "files", "audit-policy.yaml"),
		"--authentication-token-webhook-config-file="+filepath.Join(root, "examples", "seeds", "files", "token-webhook.yaml"))
	s.kubectl(t, "create", "configmap", "a", "--from-literal=b=written")
	s.kubectl(t, "create", "secret", "generic", "a", "--from-literal=b=hidden")
	s.stop(t)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]bool{`"b":"written"`: true, `aGlkZGVu`: false, `"level":"RequestResponse"`: true, `"level":"Metadata"`: true} {
		if strings.Contains(string(text), line) != want {
			t.Errorf("%s is in the log: %t, want %t", line, !want, want)
		}
	}
}
