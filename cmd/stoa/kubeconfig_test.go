// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/stoa-project/stoa/stoatest"
)

// TestKubeconfig makes kubeconfigs, with which the server knows the user.
func TestKubeconfig(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	file := filepath.Join(t.TempDir(), "alice.kubeconfig")
	arguments := []string{"kubeconfig", "--data-dir=" + dir, "--user=alice", "--group=dev", "--group=ops", "--for=1h", "--namespace=blue"}

	var out, errOut bytes.Buffer
	command := newCommand()
	command.SetArgs(arguments)
	command.SetOut(&out)
	command.SetErr(&errOut)
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^The certificate of "alice" is good until 2\S+Z\.\n$`).MatchString(errOut.String()) {
		t.Errorf("said %q", errOut.String())
	}
	if _, err := run(t, "", append(arguments, "--out="+file)...); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	for name, content := range map[string][]byte{"standard output": out.Bytes(), "file": written} {
		parsed, err := clientcmd.Load(content)
		if err != nil {
			t.Fatal(err)
		}
		if parsed.CurrentContext != "alice@stoa" || parsed.Contexts["alice@stoa"].Namespace != "blue" {
			t.Errorf("%s: context %q", name, parsed.CurrentContext)
		}
		config, err := clientcmd.RESTConfigFromKubeConfig(content)
		if err != nil {
			t.Fatal(err)
		}
		review, err := kubernetes.NewForConfigOrDie(config).AuthenticationV1().SelfSubjectReviews().
			Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := review.Status.UserInfo
		if diff := cmp.Diff([]string{"dev", "ops", "system:authenticated"}, got.Groups); diff != "" || got.Username != "alice" || config.Host != server.URL() {
			t.Errorf("%s: user %q at %s, groups (-want +got):\n%s", name, got.Username, config.Host, diff)
		}
	}
	if _, err := run(t, "", append(arguments, "--out="+file)...); err == nil || err.Error() != "--out: "+file+" exists already" {
		t.Errorf("a file that exists: %v", err)
	}
	other, err := run(t, "", append(arguments, "--server=https://api.example.com")...)
	if err != nil || !strings.Contains(other, "server: https://api.example.com\n") {
		t.Errorf("another URL: %v\n%s", err, other)
	}
}

func TestKubeconfigErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, in := range map[string]struct {
		arguments []string
		err       string
	}{
		"nobody":        {nil, "--user must be set"},
		"no time":       {[]string{"--user=alice", "--for=0s"}, "--for must be positive"},
		"control":       {[]string{"--user=al\nice"}, `the name "al\nice" must be UTF-8 without control characters, and not empty`},
		"empty group":   {[]string{"--user=alice", "--group=a,,b"}, `the name "" must be UTF-8 without control characters, and not empty`},
		"not UTF-8":     {[]string{"--user=al\xffice"}, `the name "al\xffice" must be UTF-8 without control characters, and not empty`},
		"never a start": {[]string{"--user=alice"}, `no server has been started with the data folder "` + dir + `": certificate authority cannot be used: there is none in "` + dir + `/pki"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := run(t, "", append([]string{"kubeconfig", "--data-dir=" + dir}, in.arguments...)...); err == nil || err.Error() != in.err || out != "" {
				t.Errorf("error %v, want %s; output %q", err, in.err, out)
			}
		})
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%d files were made, %v", len(entries), err)
	}
}
