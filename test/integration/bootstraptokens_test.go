// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/authn/bootstraptoken"
	"github.com/stoa-project/stoa/stoatest"
)

func withToken(token string) func(*rest.Config) {
	return func(c *rest.Config) { c.BearerToken = token }
}

// TestBootstrapTokens believes tokens for as long as their Secrets are there and good.
func TestBootstrapTokens(t *testing.T) {
	t.Parallel()
	// The controller is off: what has expired is no good though it is still there.
	server := stoatest.Start(t, stoatest.WithFlags("--enable-bootstrap-token-auth", "--controllers=*,-token-cleaner-controller"))
	secrets := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Secrets("kube-system")
	machine := &bootstraptoken.Token{
		ID: "abcdef", Secret: "0123456789abcdef", Expires: time.Now().Add(time.Hour),
		Usages: []string{"authentication"}, Groups: []string{"system:bootstrappers:worker"},
	}
	user := authenticationv1.UserInfo{
		Username: "system:bootstrap:abcdef", Groups: []string{"system:bootstrappers", "system:bootstrappers:worker", "system:authenticated"},
	}
	asMachine := stranger(server, withToken(machine.Value()))
	become := func(want authenticationv1.UserInfo, when string) {
		t.Helper()
		eventually(t, func() string {
			got, err := whois(t, asMachine)
			if want.Username == "" && text(err) == "Unauthorized" || want.Username != "" && got.Username == want.Username {
				return ""
			}
			return when + ": " + got.Username + text(err)
		})
		wantUser(t, when, asMachine, want)
	}
	wantUser(t, "before it is made", asMachine, authenticationv1.UserInfo{})
	if _, err := secrets.Create(t.Context(), machine.Object(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	become(user, "made")
	for _, other := range []string{"abcdef.0123456789abcdeg", "abcdeg.0123456789abcdef", "abcdef", "abcdef."} {
		wantUser(t, other, stranger(server, withToken(other)), authenticationv1.UserInfo{})
	}
	expired := *machine
	expired.Expires = time.Now().Add(-time.Hour)
	if _, err := secrets.Update(t.Context(), expired.Object(), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	become(authenticationv1.UserInfo{}, "expired")
	if _, err := secrets.Update(t.Context(), machine.Object(), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	become(user, "prolonged")
	if err := secrets.Delete(t.Context(), "bootstrap-token-abcdef", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	become(authenticationv1.UserInfo{}, "deleted")
}

// TestBootstrapTokensOff does not believe them unless it is told to, and deletes those
// that have expired all the same.
func TestBootstrapTokensOff(t *testing.T) {
	t.Parallel()
	secrets := coreClient(t).CoreV1().Secrets("kube-system")
	token := bootstraptoken.Generate()
	token.Usages = []string{"authentication"}
	if _, err := secrets.Create(t.Context(), token.Object(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wantUser(t, "a token", stranger(api, withToken(token.Value())), authenticationv1.UserInfo{})
	token.Expires = time.Now().Add(-time.Hour)
	if _, err := secrets.Update(t.Context(), token.Object(), metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if _, err := secrets.Get(t.Context(), bootstraptoken.SecretName(token.ID), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return "the expired token is still there: " + text(err)
		}
		return ""
	})
}
