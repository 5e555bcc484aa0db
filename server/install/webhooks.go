// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/server/review"
)

// webhookTimeout is how many seconds the cluster waits for the server: as long as the server
// works on a charge to a quota.
const webhookTimeout = 10

// changes is the condition that a request may be about where a pod runs. An update that
// is about something else, such as the end of a finalizer, does without the server.
const changes = "request.resource.resource != 'pods' || request.operation != 'UPDATE' || request.?subResource.orValue('') != '' || " +
	"object.spec.?tolerations.orValue([]) != oldObject.spec.?tolerations.orValue([]) || " +
	"object.spec.?nodeSelector.orValue({}) != oldObject.spec.?nodeSelector.orValue({})"

// webhooks have the cluster ask the server about what is written in the namespaces of
// tenants: all but those that the server says it has nothing to say about. About what it
// asks before something is stored, the server writes itself, as it depends on the quotas.
func (o Options) webhooks() []runtime.Object {
	pods := []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}}
	return []runtime.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{
			TypeMeta: kind(admissionregistrationv1.GroupName, "MutatingWebhookConfiguration"), ObjectMeta: o.meta("", tenancy.Webhooks),
			Webhooks: []admissionregistrationv1.MutatingWebhook{{
				Name: tenancy.PlacementWebhook, ClientConfig: itself(review.MutatePath), Rules: pods,
				NamespaceSelector:       o.limited(tenancy.LimitsNone, tenancy.LimitsWithoutPlacement),
				FailurePolicy:           new(admissionregistrationv1.Fail),
				SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
				TimeoutSeconds:          new(int32(webhookTimeout)),
				AdmissionReviewVersions: []string{"v1"},
			}},
		},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			TypeMeta: kind(admissionregistrationv1.GroupName, "ValidatingWebhookConfiguration"), ObjectMeta: o.meta("", tenancy.Webhooks),
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name: tenancy.LimitsWebhook, ClientConfig: itself(review.ValidatePath),
				NamespaceSelector:       o.limited(tenancy.LimitsNone),
				MatchConditions:         []admissionregistrationv1.MatchCondition{{Name: "may-be-limited", Expression: changes}},
				FailurePolicy:           new(admissionregistrationv1.Fail),
				SideEffects:             new(admissionregistrationv1.SideEffectClassNoneOnDryRun),
				TimeoutSeconds:          new(int32(webhookTimeout)),
				AdmissionReviewVersions: []string{"v1"},
			}},
		},
	}
}

// itself is how the cluster asks the server: through itself, with its own credentials, as
// every user does. So the server knows who asks, and nothing has to be kept secret.
func itself(path string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
		Namespace: metav1.NamespaceDefault, Name: "kubernetes", Port: new(int32(servicePort)), Path: &path,
	}}
}

// limited selects the namespaces of tenants but those with these limits, and but those
// that the server and the cluster need themselves.
func (o Options) limited(but ...string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: tenancy.TenantLabel, Operator: metav1.LabelSelectorOpExists},
		{Key: tenancy.LimitsLabel, Operator: metav1.LabelSelectorOpNotIn, Values: but},
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{metav1.NamespaceSystem, o.Namespace}},
	}}
}

// lookAtWebhooks asks the server as the cluster does, about nothing.
func (c *Cluster) lookAtWebhooks(ctx context.Context) (text, do string) {
	api := c.client.AdmissionregistrationV1()
	mutating, err := api.MutatingWebhookConfigurations().Get(ctx, tenancy.Webhooks, metav1.GetOptions{})
	if err != nil {
		return err.Error(), again
	}
	validating, err := api.ValidatingWebhookConfigurations().Get(ctx, tenancy.Webhooks, metav1.GetOptions{})
	if err != nil {
		return err.Error(), again
	}
	policies := map[string]*admissionregistrationv1.FailurePolicyType{tenancy.PlacementWebhook: nil, tenancy.LimitsWebhook: nil}
	for i := range mutating.Webhooks {
		policies[mutating.Webhooks[i].Name] = mutating.Webhooks[i].FailurePolicy
	}
	for i := range validating.Webhooks {
		policies[validating.Webhooks[i].Name] = validating.Webhooks[i].FailurePolicy
	}
	for _, name := range []string{tenancy.PlacementWebhook, tenancy.LimitsWebhook} {
		switch policy := policies[name]; {
		case policy == nil:
			return "webhook " + name + " is missing", again
		case *policy != admissionregistrationv1.Fail:
			return fmt.Sprintf("webhook %s has the failure policy %s, and does not hold while the server is down", name, *policy), again
		}
	}
	question := &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "doctor", Operation: admissionv1.Create, DryRun: new(true), Resource: metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"},
		},
	}
	body, err := json.Marshal(question)
	if err != nil {
		return err.Error(), again
	}
	content, err := c.client.Discovery().RESTClient().Post().AbsPath(review.ValidatePath).Body(body).SetHeader("Content-Type", "application/json").Do(ctx).Raw()
	if apierrors.IsNotFound(err) {
		return "the server does not answer reviews", "have a newer version of the server run"
	}
	if err != nil {
		return "the server does not answer reviews: " + err.Error(), "mend what the checks before found; without its answer nothing that tenants limit can be written"
	}
	answer := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(content, answer); err != nil || answer.Response == nil || answer.Response.UID != question.Request.UID {
		return fmt.Sprintf("the answer to a review is none: %.100s", content), "see that APIService v1." + tenancy.GroupName + " is for this server"
	}
	return "the server answers the cluster's reviews", ""
}
