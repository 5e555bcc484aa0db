// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package accounttoken_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

func eventually(t *testing.T, what string, is func(ctx context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, is); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// secret is for the token of an account.
func secret(name, account, uid string) *corev1.Secret {
	out := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"kubernetes.io/service-account.name": account}},
		Type:       "kubernetes.io/service-account-token",
	}
	if uid != "" {
		out.Annotations["kubernetes.io/service-account.uid"] = uid
	}
	return out
}

func TestController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	config := stoatest.Start(t).Config()
	client := kubernetes.NewForConfigOrDie(config)
	accounts, secrets := client.CoreV1().ServiceAccounts("default"), client.CoreV1().Secrets("default")
	create := func(s *corev1.Secret) {
		t.Helper()
		if _, err := secrets.Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	goes := func(name string) {
		t.Helper()
		eventually(t, "secret "+name+" goes", func(ctx context.Context) (bool, error) {
			_, err := secrets.Get(ctx, name, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
	}
	clerk := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "clerk"}, Secrets: []corev1.ObjectReference{{Name: "listed"}, {Name: "kept"}}}
	clerk, err := accounts.Create(t.Context(), clerk, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}

	create(secret("listed", "clerk", ""))
	var filled *corev1.Secret
	eventually(t, "the secret gets a token", func(ctx context.Context) (bool, error) {
		filled, err = secrets.Get(ctx, "listed", metav1.GetOptions{})
		return err == nil && len(filled.Data["token"]) > 0, err
	})
	if !bytes.Equal(filled.Data["ca.crt"], config.CAData) || string(filled.Data["namespace"]) != "default" ||
		filled.Annotations["kubernetes.io/service-account.uid"] != string(clerk.UID) {
		t.Errorf("secret %+v", filled)
	}
	asClerk := rest.AnonymousClientConfig(config)
	asClerk.BearerToken = string(filled.Data["token"])
	review, err := kubernetes.NewForConfigOrDie(asClerk).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil || review.Status.UserInfo.Username != "system:serviceaccount:default:clerk" {
		t.Errorf("%+v, %v", review, err)
	}

	create(secret("nobody", "none", ""))
	goes("nobody")
	create(secret("former", "clerk", "00000000-0000-0000-0000-000000000000"))
	goes("former")

	if err := secrets.Delete(t.Context(), "listed", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the account does not list the secret", func(ctx context.Context) (bool, error) {
		got, err := accounts.Get(ctx, "clerk", metav1.GetOptions{})
		return err == nil && len(got.Secrets) == 1 && got.Secrets[0].Name == "kept", err
	})

	create(secret("last", "clerk", ""))
	other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other", Annotations: map[string]string{"kubernetes.io/service-account.name": "clerk"}}}
	create(other)
	if err := accounts.Delete(t.Context(), "clerk", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	goes("last")
	if _, err := secrets.Get(t.Context(), "other", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
