// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditpolicy_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"github.com/stoa-project/stoa/server/auditpolicy"
)

const header = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

func logged(t *testing.T) (context.Context, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	return klog.NewContext(t.Context(), textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(log)))), log
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// use has a policy use the rules of a file, as a server does.
func use(ctx context.Context, t *testing.T, p *auditpolicy.Policy, path string) {
	t.Helper()
	loaded, err := policy.LoadPolicyFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p.Use(ctx, policy.NewPolicyRuleEvaluator(loaded))
}

// TestRun changes the policy while it is used.
func TestRun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	synctest.Test(t, func(t *testing.T) {
		write(t, path, header+"rules: [{level: None}]")
		ctx, log := logged(t)
		ctx, cancel := context.WithCancel(ctx)
		p, err := auditpolicy.New(path)
		if err != nil {
			t.Fatal(err)
		}
		use(ctx, t, p, path)
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.Run(ctx)
		}()
		for i, step := range []struct {
			content string
			level   auditinternal.Level
		}{
			{header + "rules: [{level: None}]", "None"},
			{header + "rules: [{level: Metadata}]", "Metadata"},
			{header + "rules: [{level: All}]", "Metadata"},
			{header, "Metadata"},
			{"", "Metadata"},
			{header + "rules: [{level: Request, level", "Metadata"},
			{header + "rules: [{level: Request}]", "Request"},
		} {
			write(t, path, step.content)
			<-time.After(5 * time.Second / 2)
			synctest.Wait()
			if got := p.EvaluatePolicyRule(authorizer.AttributesRecord{}).Level; got != step.level {
				t.Errorf("step %d: level %s, want %s; log:\n%s", i, got, step.level, log)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		if got := p.EvaluatePolicyRule(authorizer.AttributesRecord{}).Level; got != "Request" {
			t.Errorf("without a file: level %s", got)
		}
		cancel()
		<-done
		for text, want := range map[string]int{
			"A file has changed and is used":                     2,
			"what it said before holds on":                       4,
			"policy.yaml: rules[0].level: Unsupported value":     1,
			"policy.yaml: loaded illegal policy with 0 rules":    1,
			"policy.yaml: is empty":                              1,
			"policy.yaml: failed decoding: yaml: line ":          1,
			"Could not read a file again, what it said holds on": 1,
			"policy.yaml: no such file or directory":             1,
			"has what is secret recorded":                        1,
			`resources=["secrets","tokenreviews"]`:               1,
		} {
			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("%q is %d times in the log, want %d:\n%s", text, got, want, log)
			}
		}
	})
}

// TestSecrets warns of policies that have secrets recorded.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for rules, want := range map[string]string{
		"[{level: None}]":                          "",
		"[{level: Metadata}]":                      "",
		"[{level: Request}]":                       `resources=["secrets","tokenreviews"]`,
		"[{level: RequestResponse}]":               `resources=["secrets","serviceaccounts/token","tokenreviews"]`,
		"[{level: RequestResponse, verbs: [get]}]": `resources=["secrets"]`,
		"[{level: Metadata, resources: [{resources: [secrets, serviceaccounts/token]}]}, {level: RequestResponse}]":                                                                 `resources=["tokenreviews"]`,
		"[{level: Metadata, resources: [{resources: [secrets, serviceaccounts/token]}, {group: authentication.k8s.io}]}, {level: RequestResponse}]":                                 "",
		"[{level: RequestResponse, resources: [{resources: [configmaps]}]}, {level: RequestResponse, nonResourceURLs: ['*']}, {level: RequestResponse, namespaces: [kube-system]}]": "",
	} {
		t.Run(rules, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "policy.yaml")
			write(t, path, header+"rules: "+rules)
			p, err := auditpolicy.New(path)
			if err = errors.Join(err, auditpolicy.Check(path)); err != nil {
				t.Fatal(err)
			}
			ctx, log := logged(t)
			use(ctx, t, p, path)
			if text := log.String(); want == "" && text != "" || !strings.Contains(text, want) {
				t.Errorf("log %q, want %s", text, want)
			}
		})
	}
	path := filepath.Join("..", "..", "examples", "audit", "policy.yaml")
	p, err := auditpolicy.New(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, log := logged(t)
	if use(ctx, t, p, path); log.String() != "" {
		t.Errorf("the example: %s", log)
	}
	for _, err := range []error{auditpolicy.Check(path + "x"), func() error { _, err := auditpolicy.New(path + "x"); return err }()} {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
}
