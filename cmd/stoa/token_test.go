// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// TestToken makes tokens, lists them and deletes them.
func TestToken(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	server := stoatest.Start(t)
	kubeconfig := "--kubeconfig=" + server.Kubeconfig()
	token := func(arguments ...string) string {
		t.Helper()
		out, err := run(t, "", append([]string{"token", kubeconfig}, arguments...)...)
		if err != nil {
			t.Fatalf("stoa token %q: %v", arguments, err)
		}
		return out
	}
	const form = `^[a-z0-9]{6}\.[a-z0-9]{16}\n$`
	if out := token("generate"); !regexp.MustCompile(form).MatchString(out) {
		t.Errorf("generated %q", out)
	}
	random := token("create", "--ttl=2h", "--description=for a test")
	if !regexp.MustCompile(form).MatchString(random) {
		t.Errorf("created %q", random)
	}
	if out := token("create", "abcdef.0123456789abcdef", "--ttl=0", "--usages=signing"); out != "abcdef.0123456789abcdef\n" {
		t.Errorf("created %q", out)
	}
	secrets := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Secrets("kube-system")
	if _, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(token("list")) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		`TOKEN TTL EXPIRES USAGES DESCRIPTION EXTRA GROUPS`,
		`abcdef\.0123456789abcdef <forever> <never> signing <none> <none>`,
		regexp.QuoteMeta(strings.TrimSpace(random)) + ` 1h \S+Z authentication,signing for a test system:bootstrappers:kubeadm:default-node-token`,
	}
	if len(lines) != len(want) {
		t.Fatalf("list is %q", lines)
	}
	if random < "abcdef" {
		want[1], want[2] = want[2], want[1]
	}
	for i, w := range want {
		if !regexp.MustCompile("^" + w + "$").MatchString(lines[i]) {
			t.Errorf("line %d is %q, want %s", i, lines[i], w)
		}
	}
	if out := token("delete", "abcdef", strings.TrimSpace(random)); out != "bootstrap token \"abcdef\" deleted\nbootstrap token \""+random[:6]+"\" deleted\n" {
		t.Errorf("deleted %q", out)
	}
	if out := token("list"); strings.Count(out, "\n") != 1 {
		t.Errorf("list is %q", out)
	}
	_, err := run(t, "", "token", kubeconfig, "delete", "abcdef")
	if want := `delete bootstrap token "abcdef": secrets "bootstrap-token-abcdef" not found`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestTokenErrors are found before a server is asked. They do not repeat a secret.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	const form = `the token must be of the form "[a-z0-9]{6}.[a-z0-9]{16}"`
	for arguments, want := range map[string]string{
		"":                                     "one of create, list, delete and generate must follow",
		"nonsense":                             `unknown command "nonsense" for "stoa token"`,
		"create ABCDEF.0123456789abcdef":       form,
		"create abcdef":                        form,
		"create --ttl=-1s":                     "--ttl must not be negative",
		"create --usages=x":                    `usage "x" must be signing or authentication`,
		"create --groups=dev":                  `group "dev" must match system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]`,
		"create --usages=signing --groups=dev": "groups need the usage authentication\n" + `group "dev" must match system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]`,
		"create a b":                           "accepts at most 1 arg(s), received 2",
		"delete":                               "requires at least 1 arg(s), only received 0",
		"delete abcdef abc":                    `argument 2 must be of the form "[a-z0-9]{6}" or "[a-z0-9]{6}.[a-z0-9]{16}"`,
		"list --kubeconfig=/nonexistent":       "kubeconfig: stat /nonexistent: no such file or directory",
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			if out, err := run(t, "", append([]string{"token"}, strings.Fields(arguments)...)...); err == nil || err.Error() != want || out != "" {
				t.Errorf("error %v, want %s; output %q", err, want, out)
			}
		})
	}
}
