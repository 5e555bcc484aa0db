// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package authz

import (
	"errors"

	apiserver "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/cel"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/apiserver/plugin/pkg/authorizer/webhook"
	webhookmetrics "k8s.io/apiserver/plugin/pkg/authorizer/webhook/metrics"
)

// requestMetrics are what a webhook counts.
type requestMetrics struct {
	webhookmetrics.NoopRequestMetrics
	webhookmetrics.WebhookMetrics
	cel.MatcherMetrics
}

// newWebhook returns the webhook of a configuration.
func newWebhook(c apiserver.AuthorizerConfiguration) (Mode, error) {
	if c.Webhook.ConnectionInfo.Type != apiserver.AuthorizationWebhookConnectionInfoTypeKubeConfigFile {
		return nil, errors.New("connectionInfo.type must be KubeConfigFile: a server does not ask itself")
	}
	client, err := webhookutil.LoadKubeconfig(*c.Webhook.ConnectionInfo.KubeConfigFile, nil)
	if err != nil {
		return nil, err
	}
	client.Timeout = c.Webhook.Timeout.Duration
	onError := authorizer.DecisionNoOpinion
	if c.Webhook.FailurePolicy == apiserver.FailurePolicyDeny {
		onError = authorizer.DecisionDeny
	}
	authorized, unauthorized := c.Webhook.AuthorizedTTL.Duration, c.Webhook.UnauthorizedTTL.Duration
	if !c.Webhook.CacheAuthorizedRequests {
		authorized = 0
	}
	if !c.Webhook.CacheUnauthorizedRequests {
		unauthorized = 0
	}
	return webhook.New(client, c.Webhook.SubjectAccessReviewVersion, authorized, unauthorized, *genericoptions.DefaultAuthWebhookRetryBackoff(),
		onError, c.Webhook.MatchConditions, c.Name, requestMetrics{WebhookMetrics: webhookmetrics.NewWebhookMetrics(), MatcherMetrics: cel.NewMatcherMetrics()},
		cel.NewDefaultCompiler())
}
