// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/authn/tokenreview/tokenreviewtest"
)

// TestIssuerOfDocument types what the document says: a server is the issuer of another.
func TestIssuerOfDocument(t *testing.T) {
	t.Parallel()
	integration(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "authentication.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<!-- A test runs this block. -->\n```\n")
	script, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("there is no such block")
	}
	dir := filepath.Dir(folder(t))
	if err := os.Symlink(bin, filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{"7443", "7444"} {
		script = strings.ReplaceAll(script, port, strconv.Itoa(freePort(t)))
	}
	// Ended from outside, a server would outlive the shell.
	script = "trap 'kill $(jobs -p); wait' EXIT\n" + strings.ReplaceAll(script, "bin/stoa start", "bin/stoa start -v=9") + "\necho; echo \"TOKEN $token\"\n"
	shell := exec.CommandContext(t.Context(), "bash", "-c", script) // of our own document
	shell.Dir, shell.Env = dir, append(os.Environ(), "HOME="+dir, "KUBECACHEDIR="+filepath.Join(dir, "cache"))
	var stdout, stderr output
	shell.Stdout, shell.Stderr = &stdout, &stderr
	if err := shell.Run(); err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	if want := `"username": "idp:system:serviceaccount:default:alice"`; !strings.Contains(stdout.String(), want) {
		t.Errorf("printed:\n%s, want %s\n%s", stdout.String(), want, stderr.String())
	}
	_, token, _ := strings.Cut(stdout.String(), "TOKEN ")
	if token = strings.TrimSpace(token); len(token) < 100 || strings.Contains(stderr.String(), token) {
		t.Errorf("the token %.10s is in the log, or there is none", token)
	}
}

// TestTokenWebhookLog has no token, however much is logged.
func TestTokenWebhookLog(t *testing.T) {
	t.Parallel()
	integration(t)
	webhook := tokenreviewtest.Start(t)
	s := start(t, folder(t), "-v=10", "--authentication-token-webhook-config-file="+webhook.Kubeconfig)
	ask := func(token string) error {
		client, err := kubernetes.NewForConfig(&rest.Config{
			Host: fmt.Sprintf("https://127.0.0.1:%d", s.port), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(s.dir, "pki", "stoa-ca.crt")},
		})
		if err != nil {
			return err
		}
		_, err = client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		return err
	}
	if err := ask("token-s3cr3t"); err != nil {
		t.Error(err)
	}
	if err := ask("another-s3cr3t"); err == nil || err.Error() != "Unauthorized" {
		t.Errorf("error %v", err)
	}
	webhook.Fail(tokenreviewtest.Status(503))
	if err := ask("token-s3cr3t-too"); err == nil || err.Error() != "Unauthorized" {
		t.Errorf("error %v", err)
	}
	if log := s.stderr.String(); strings.Contains(log, "token-s3cr3t") || strings.Contains(log, "another-s3cr3t") ||
		!strings.Contains(log, "Unable to authenticate the request") {
		t.Error("a token is in the log, or nothing is")
	}
}
