// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/auditlog"
	"github.com/stoa-project/stoa/server/auditpolicy"
)

// AuditOptions say which requests are recorded and where. Without a policy none are,
// and nothing is spent on it.
type AuditOptions struct{ *genericoptions.AuditOptions }

func newAuditOptions() *AuditOptions {
	return &AuditOptions{AuditOptions: genericoptions.NewAuditOptions()}
}

// AddFlags adds upstream's flags.
func (o *AuditOptions) AddFlags(fs *pflag.FlagSet) {
	o.AuditOptions.AddFlags(fs)
	fs.Lookup("audit-policy-file").Usage = "Path to the file that defines the audit policy configuration. It is read again when it changes. Without it nothing is recorded."
	fs.Lookup("audit-log-path").Usage = "If set, the requests that --audit-policy-file selects will be logged to this file, which its owner alone may read. '-' means standard out."
}

// Validate reports everything that is wrong with the options and the files.
func (o *AuditOptions) Validate() []error {
	errs := append(name("log", o.LogOptions.Validate()), name("webhook", o.WebhookOptions.Validate())...)
	if o.PolicyFile != "" {
		if err := auditpolicy.Check(o.PolicyFile); err != nil {
			errs = append(errs, fmt.Errorf("--audit-policy-file: %w", err))
		}
	}
	if file := o.WebhookOptions.ConfigFile; file != "" {
		if _, err := webhook.LoadKubeconfig(file, nil); err != nil {
			errs = append(errs, fmt.Errorf("--audit-webhook-config-file: %s: %w", file, err))
		}
	}
	return errs
}

// name puts the flag before errors of upstream, which tell it by words alone. kind is
// log or webhook.
func name(kind string, errs []error) []error {
	flags := []struct{ text, flag string }{
		{"--", ""}, // it is named
		{"audit " + kind + " mode", "mode"},
		{"audit batch " + kind + " buffer size", "batch-buffer-size"},
		{"audit batch " + kind + " max batch size", "batch-max-size"},
		{"audit batch " + kind + " throttle QPS", "batch-throttle-qps"},
		{"audit batch " + kind + " throttle burst", "batch-throttle-burst"},
		{"audit truncate " + kind + " max event size", "truncate-max-event-size"},
		{"audit truncate " + kind + " max batch size", "truncate-max-batch-size"},
		{"audit log format", "format"},
		{"", "version"}, // whose errors are those of any version
	}
	out := make([]error, 0, len(errs))
	for _, err := range errs {
		for _, f := range flags {
			if !strings.Contains(err.Error(), f.text) {
				continue
			}
			if f.flag != "" {
				err = fmt.Errorf("--audit-%s-%s: %w", kind, f.flag, err)
			}
			break
		}
		out = append(out, err)
	}
	return out
}

// warn tells what the options do that nobody may expect.
func (o *AuditOptions) warn(ctx context.Context) {
	logger := klog.FromContext(ctx)
	log, sink := o.LogOptions.Path != "", o.WebhookOptions.ConfigFile != ""
	switch {
	case o.PolicyFile == "" && log:
		logger.Info("Nothing is recorded in --audit-log-path without --audit-policy-file")
	case o.PolicyFile == "" && sink:
		logger.Info("Nothing is sent to the webhook of --audit-webhook-config-file without --audit-policy-file")
	case o.PolicyFile != "" && !log && !sink:
		logger.Info("Nothing is recorded by --audit-policy-file without --audit-log-path or --audit-webhook-config-file")
	}
}

// audit has requests recorded. The policy is followed while the server runs.
func (o *AuditOptions) audit(ctx context.Context, config *genericapiserver.Config) error {
	o.warn(ctx)
	if o.PolicyFile == "" {
		return nil
	}
	policy, err := auditpolicy.New(o.PolicyFile)
	if err != nil {
		return fmt.Errorf("--audit-policy-file: %w", err)
	}
	if path := o.LogOptions.Path; path != "" && path != "-" {
		if err := auditlog.Prepare(ctx, path); err != nil {
			return fmt.Errorf("--audit-log-path: %w", err)
		}
	}
	if err := o.ApplyTo(config); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if config.AuditBackend == nil {
		return nil
	}
	policy.Use(ctx, config.AuditPolicyRuleEvaluator)
	config.AuditPolicyRuleEvaluator = policy
	return config.AddPostStartHook("start-audit-policy-file-watch", func(hook genericapiserver.PostStartHookContext) error {
		go policy.Run(hook)
		return nil
	})
}
