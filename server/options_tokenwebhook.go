// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/stoa-project/stoa/authn/tokenreview"
)

const tokenWebhookFlags = "authentication-token-webhook-"

// TokenWebhookOptions are somebody else who knows bearer tokens.
type TokenWebhookOptions struct {
	// ConfigFile is a kubeconfig file with the address. Empty: nobody is asked.
	ConfigFile string
	// Options say how.
	tokenreview.Options
}

//nolint:mnd // the table of defaults
func newTokenWebhookOptions() *TokenWebhookOptions {
	return &TokenWebhookOptions{Options: tokenreview.Options{
		Version: "v1beta1", CacheTTL: 2 * time.Minute, Timeout: 10 * time.Second,
		MaxInFlight: 100, QPS: 200, BreakerFailures: 5, BreakerOpen: 10 * time.Second,
	}}
}

// AddFlags adds the flags of kube-apiserver, and those of the circuit breaker.
func (o *TokenWebhookOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.ConfigFile, tokenWebhookFlags+"config-file", o.ConfigFile, "File with webhook configuration for token authentication in kubeconfig format. The API server will query the remote service to determine authentication for bearer tokens.")
	fs.StringVar(&o.Version, tokenWebhookFlags+"version", o.Version, "The API version of the authentication.k8s.io TokenReview to send to and expect from the webhook.")
	fs.DurationVar(&o.CacheTTL, tokenWebhookFlags+"cache-ttl", o.CacheTTL, "The duration to cache responses from the webhook token authenticator. A token that it does not know is asked about again after 10s at the latest.")
	fs.DurationVar(&o.Timeout, tokenWebhookFlags+"timeout", o.Timeout, "How long a call to the webhook token authenticator may take.")
	fs.IntVar(&o.MaxInFlight, tokenWebhookFlags+"max-inflight", o.MaxInFlight, "How many tokens the webhook token authenticator is asked about at once. More are refused, without waiting.")
	fs.Float64Var(&o.QPS, tokenWebhookFlags+"qps", o.QPS, "How many tokens the webhook token authenticator is asked about in a second, on average. Twice as many may come at once, more are refused.")
	fs.IntVar(&o.BreakerFailures, tokenWebhookFlags+"breaker-failures", o.BreakerFailures, "How many calls to the webhook token authenticator fail in a row before it is left alone for --authentication-token-webhook-breaker-open.")
	fs.DurationVar(&o.BreakerOpen, tokenWebhookFlags+"breaker-open", o.BreakerOpen, "How long the webhook token authenticator is left alone after it failed. Tokens that are not remembered are refused meanwhile; afterwards one call at a time is made until one succeeds.")
}

// Validate reports everything that is wrong with the options and the file.
func (o *TokenWebhookOptions) Validate() []error {
	var errs []error
	if o.Version != "v1" && o.Version != "v1beta1" {
		errs = append(errs, fmt.Errorf("--%sversion: unsupported version %q, supported versions are %q, %q", tokenWebhookFlags, o.Version, "v1", "v1beta1"))
	}
	for _, check := range []struct {
		flag string
		good bool
	}{
		{"timeout", o.Timeout > 0},
		{"max-inflight", o.MaxInFlight > 0},
		{"qps", o.QPS > 0},
		{"breaker-failures", o.BreakerFailures > 0},
		{"breaker-open", o.BreakerOpen > 0},
	} {
		if !check.good {
			errs = append(errs, fmt.Errorf("--%s%s must be positive", tokenWebhookFlags, check.flag))
		}
	}
	if o.CacheTTL < 0 {
		errs = append(errs, fmt.Errorf("--%scache-ttl must not be negative", tokenWebhookFlags))
	}
	if o.ConfigFile != "" {
		if err := tokenreview.Check(o.ConfigFile); err != nil {
			errs = append(errs, fmt.Errorf("--%sconfig-file: %w", tokenWebhookFlags, err))
		}
	}
	return errs
}
