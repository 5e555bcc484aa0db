// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/authn/tokenreview/tokenreviewtest"
	"github.com/stoa-project/stoa/stoatest"
)

// TestTokenWebhook asks a service about tokens that nobody else knows, and lives without it.
func TestTokenWebhook(t *testing.T) {
	t.Parallel()
	// One is left alone for as long as the test lasts, the other is asked again.
	for version, open := range map[string]string{"v1": "1h", "v1beta1": "10ms"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			webhook := tokenreviewtest.Start(t)
			path := secretFile(t, "tokens.csv", "s3cr3t,bob,uid-2\n")
			server := stoatest.Start(t, stoatest.WithFlags("--authentication-token-webhook-config-file="+webhook.Kubeconfig, "--authentication-token-webhook-version="+version,
				"--authentication-token-webhook-breaker-failures=3", "--authentication-token-webhook-breaker-open="+open, "--token-auth-file="+path))
			alice := authenticationv1.UserInfo{Username: "alice", UID: "uid-alice", Groups: []string{"webhooks", "system:authenticated"}}
			bob := authenticationv1.UserInfo{Username: "bob", UID: "uid-2", Groups: []string{"system:authenticated"}}
			nobody := authenticationv1.UserInfo{}
			wantUser(t, "known", stranger(server, withToken("token-alice")), alice)
			wantUser(t, "unknown", stranger(server, withToken("other")), nobody)
			wantUser(t, "of a file", stranger(server, withToken("s3cr3t")), bob)
			if webhook.Saw("s3cr3t") || !webhook.Saw("other") {
				t.Error("the service is asked about tokens of the file, or not about others")
			}
			// Tokens of the server are its own affair, also those that are not good.
			admin := clientFor(t, server.Config())
			account(t, admin, "default")
			own := tokenOf(t, admin, "default", authenticationv1.TokenRequestSpec{}).Status.Token
			if _, err := whoami(t.Context(), clientFor(t, bearer(server.Config(), own))); err != nil {
				t.Errorf("service account: %v", err)
			}
			broken := own[:len(own)-6] + "AAAAAA"
			wantUser(t, "own, but broken", stranger(server, withToken(broken)), nobody)
			if webhook.Saw(own) || webhook.Saw(broken) {
				t.Error("the service has seen a token of a service account")
			}
			webhook.Fail(tokenreviewtest.Status(503))
			before := webhook.Calls()
			for n := range 20 {
				wantUser(t, "during an outage", stranger(server, withToken(fmt.Sprintf("token-%d", n))), nobody)
			}
			if calls := webhook.Calls() - before; open == "1h" && calls != 3 {
				t.Errorf("%d calls during an outage", calls)
			}
			wantUser(t, "remembered", stranger(server, withToken("token-alice")), alice)
			wantUser(t, "of a file, during an outage", stranger(server, withToken("s3cr3t")), bob)
			metrics := string(do(t, request{path: "/metrics", config: server.Config()}).body)
			for _, name := range []string{"stoa_authentication_webhook_breaker_state", `stoa_authentication_webhook_calls_total{result="failure"}`, `stoa_authentication_webhook_rejected_total{reason="breaker"}`} {
				if !strings.Contains(metrics, name) {
					t.Errorf("there is no %s", name)
				}
			}
			if open == "1h" {
				review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "token-dora"}}
				answer, err := admin.AuthenticationV1().TokenReviews().Create(t.Context(), review, metav1.CreateOptions{})
				if want := "[invalid bearer token, the token webhook has failed, and is not asked for a while]"; err != nil || answer.Status.Error != want {
					t.Errorf("%v, reason %q, want %q", err, answer.Status.Error, want)
				}
				return
			}
			webhook.Fail(nil)
			carol := authenticationv1.UserInfo{Username: "carol", UID: "uid-carol", Groups: []string{"webhooks", "system:authenticated"}}
			untilUser(t, server, "token-carol", carol)
		})
	}
}
