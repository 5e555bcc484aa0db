// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

const issuer = "https://kubernetes.default.svc"

// bearer is a client with a token and nothing else.
func bearer(config *rest.Config, token string) *rest.Config {
	out := rest.AnonymousClientConfig(config)
	out.BearerToken = token
	return out
}

func clientFor(t testing.TB, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// account makes a service account.
func account(t testing.TB, client kubernetes.Interface, namespace string) *corev1.ServiceAccount {
	t.Helper()
	made, err := client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "clerk"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// tokenOf asks for a token of the account.
func tokenOf(t testing.TB, client kubernetes.Interface, namespace string, spec authenticationv1.TokenRequestSpec) *authenticationv1.TokenRequest {
	t.Helper()
	out, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), "clerk", &authenticationv1.TokenRequest{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// whoami asks the server who has a token.
func whoami(ctx context.Context, client kubernetes.Interface) (authenticationv1.UserInfo, error) {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

// claimsOf reads a token without verifying it.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	content, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(content, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestToken(t *testing.T) {
	t.Parallel()
	admin, namespace := coreClient(t), newNamespace(t)
	clerk := account(t, admin, namespace)
	request := tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{})
	if diff := cmp.Diff([]string{issuer}, request.Spec.Audiences); diff != "" {
		t.Errorf("audiences (-want +got):\n%s", diff)
	}
	if left := time.Until(request.Status.ExpirationTimestamp.Time); left < 59*time.Minute || left > time.Hour {
		t.Errorf("holds for %s, want an hour", left)
	}
	if request.UID != clerk.UID || request.Name != "clerk" || request.Namespace != namespace {
		t.Errorf("request of %s/%s %s", request.Namespace, request.Name, request.UID)
	}
	user := clientFor(t, bearer(api.Config(), request.Status.Token))
	got, err := whoami(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	name := "system:serviceaccount:" + namespace + ":clerk"
	id, _ := claimsOf(t, request.Status.Token)["jti"].(string)
	want := authenticationv1.UserInfo{
		Username: name, UID: string(clerk.UID),
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		Extra:  map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=" + id}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}

	// Nothing is allowed until somebody allows it.
	if _, err := user.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list: %v, want it forbidden", err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "clerks"}, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "clerk", Namespace: namespace}},
	}
	if _, err := admin.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the binding", func(ctx context.Context) bool {
		_, err := user.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
		return err == nil
	})

	// An account by the same name is another one.
	if err := admin.CoreV1().ServiceAccounts(namespace).Delete(t.Context(), "clerk", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	unauthorized(t, user)
	account(t, admin, namespace)
	unauthorized(t, user)
	if _, err := whoami(t.Context(), clientFor(t, bearer(api.Config(), tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{}).Status.Token))); err != nil {
		t.Errorf("token of the new account: %v", err)
	}
}

func waitFor(t testing.TB, what string, done func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) { return done(ctx), nil })
	if err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
}

// unauthorized waits until a client is not believed any more.
func unauthorized(t testing.TB, client kubernetes.Interface) {
	t.Helper()
	waitFor(t, "the token to be worthless", func(ctx context.Context) bool {
		_, err := whoami(ctx, client)
		return apierrors.IsUnauthorized(err)
	})
}

// TestBoundToken has tokens that end with a pod, a secret, a node.
func TestBoundToken(t *testing.T) {
	t.Parallel()
	admin, namespace := coreClient(t), newNamespace(t)
	account(t, admin, namespace)
	create := metav1.CreateOptions{}
	node, err := admin.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: unique(t)}}, create)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := admin.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "till"},
		Spec:       corev1.PodSpec{ServiceAccountName: "clerk", NodeName: node.Name, Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}, create)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := admin.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "drawer"}}, create)
	if err != nil {
		t.Fatal(err)
	}
	now := int64(0)
	at := metav1.DeleteOptions{GracePeriodSeconds: &now}
	on := map[string]authenticationv1.ExtraValue{
		"authentication.kubernetes.io/node-name": {node.Name}, "authentication.kubernetes.io/node-uid": {string(node.UID)},
	}
	for _, tc := range []struct {
		kind, name string
		uid        string
		extra      map[string]authenticationv1.ExtraValue
		remove     func() error
	}{
		{
			"Pod", "till", string(pod.UID), map[string]authenticationv1.ExtraValue{
				"authentication.kubernetes.io/pod-name": {"till"}, "authentication.kubernetes.io/pod-uid": {string(pod.UID)},
				"authentication.kubernetes.io/node-name": {node.Name}, "authentication.kubernetes.io/node-uid": {string(node.UID)},
			},
			func() error { return admin.CoreV1().Pods(namespace).Delete(t.Context(), "till", at) },
		},
		{"Secret", "drawer", string(secret.UID), map[string]authenticationv1.ExtraValue{}, func() error {
			return admin.CoreV1().Secrets(namespace).Delete(t.Context(), "drawer", metav1.DeleteOptions{})
		}},
		{"Node", node.Name, string(node.UID), on, func() error {
			return admin.CoreV1().Nodes().Delete(t.Context(), node.Name, metav1.DeleteOptions{})
		}},
	} {
		ref := &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: tc.kind, Name: tc.name}
		user := clientFor(t, bearer(api.Config(), tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{BoundObjectRef: ref}).Status.Token))
		got, err := whoami(t.Context(), user)
		if err != nil {
			t.Errorf("%s: %v", tc.kind, err)
			continue
		}
		delete(got.Extra, "authentication.kubernetes.io/credential-id")
		if diff := cmp.Diff(tc.extra, got.Extra); diff != "" {
			t.Errorf("%s: extra (-want +got):\n%s", tc.kind, diff)
		}
		if err := tc.remove(); err != nil {
			t.Errorf("%s: %v", tc.kind, err)
		}
		unauthorized(t, user)
	}
}

// TestRefusedTokenRequest asks for what is not given.
func TestRefusedTokenRequest(t *testing.T) {
	t.Parallel()
	admin, namespace := coreClient(t), newNamespace(t)
	clerk := account(t, admin, namespace)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: corev1.PodSpec{ServiceAccountName: "default", Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	if _, err := admin.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	to := func(version, kind, name string) authenticationv1.TokenRequest {
		ref := &authenticationv1.BoundObjectReference{APIVersion: version, Kind: kind, Name: name, UID: "x"}
		return authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: ref}}
	}
	if _, err := admin.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "drawer"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		request authenticationv1.TokenRequest
		want    string
	}{
		"pod of another account": {to("v1", "Pod", "other"), `cannot bind token for serviceaccount "clerk" to pod running with different serviceaccount name.`},
		"no pod":                 {to("v1", "Pod", "nosuch"), `pods "nosuch" not found`},
		"another secret": {
			to("v1", "Secret", "drawer"),
			`Operation cannot be fulfilled on Secret "drawer": the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated`,
		},
		"a webhook": {
			to("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "x"),
			"cannot bind token to object of type admissionregistration.k8s.io/v1, Kind=ValidatingWebhookConfiguration (feature gate APIServerWebhookAuthenticationToken is disabled)",
		},
		"another account": {
			authenticationv1.TokenRequest{ObjectMeta: metav1.ObjectMeta{UID: "x"}},
			`Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "clerk": the UID in the token request (x) does not match the UID of the service account (` + string(clerk.UID) + `)`,
		},
		"too many audiences": {
			authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{strings.Repeat("x", 1<<16)}}},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := admin.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), "clerk", &tc.request, metav1.CreateOptions{})
			switch {
			case err == nil:
				t.Error("there is a token")
			case tc.want == "" && !apierrors.IsRequestEntityTooLargeError(err):
				t.Errorf("error %v", err)
			case tc.want != "" && err.Error() != tc.want:
				t.Errorf("error %q, want %q", err, tc.want)
			}
		})
	}
}

// TestTokenReview asks about tokens for others.
func TestTokenReview(t *testing.T) {
	t.Parallel()
	admin, namespace := coreClient(t), newNamespace(t)
	account(t, admin, namespace)
	own := tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{}).Status.Token
	vault := tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{Audiences: []string{"vault", "bank"}}).Status.Token
	if _, err := whoami(t.Context(), clientFor(t, bearer(api.Config(), vault))); !apierrors.IsUnauthorized(err) {
		t.Errorf("token for others: %v, want it refused", err)
	}
	name := "system:serviceaccount:" + namespace + ":clerk"
	for _, tc := range []struct {
		what, token     string
		asked           []string
		user, err       string
		authenticated   bool
		answerAudiences []string
	}{
		{"own", own, nil, name, "", true, []string{issuer}},
		{"own, for others", own, []string{"vault"}, "", `[invalid bearer token, token audiences ["` + issuer + `"] is invalid for the target audiences ["vault"]]`, false, nil},
		{"of others", vault, []string{"vault", "x"}, name, "", true, []string{"vault"}},
		{"of others, for the server", vault, nil, "", `[invalid bearer token, token audiences ["vault" "bank"] is invalid for the target audiences ["` + issuer + `"]]`, false, nil},
		{"nobody's", "x.y.z", nil, "", "invalid bearer token", false, nil},
	} {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: tc.token, Audiences: tc.asked}}
		got, err := admin.AuthenticationV1().TokenReviews().Create(t.Context(), review, metav1.CreateOptions{})
		if err != nil {
			t.Errorf("%s: %v", tc.what, err)
			continue
		}
		got.Status.User = authenticationv1.UserInfo{Username: got.Status.User.Username}
		want := authenticationv1.TokenReviewStatus{Authenticated: tc.authenticated, User: authenticationv1.UserInfo{Username: tc.user}, Audiences: tc.answerAudiences, Error: tc.err}
		if diff := cmp.Diff(want, got.Status); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.what, diff)
		}
	}
}

// TestOpenIDDiscovery verifies a token as a program does that knows only its issuer.
func TestOpenIDDiscovery(t *testing.T) {
	t.Parallel()
	admin, namespace := coreClient(t), newNamespace(t)
	account(t, admin, namespace)
	token := tokenOf(t, admin, namespace, authenticationv1.TokenRequestSpec{}).Status.Token
	config := bearer(api.Config(), token)
	const configuration = "/.well-known/openid-configuration"
	if got := do(t, request{path: configuration, config: anonymous()}); got.code != 403 {
		t.Errorf("anonymous: %d", got.code)
	}
	var found struct {
		Issuer  string `json:"issuer"`
		KeysURL string `json:"jwks_uri"`
	}
	got := do(t, request{path: configuration, config: config})
	if err := json.Unmarshal(got.body, &found); err != nil || got.code != 200 || found.Issuer != issuer || !strings.HasSuffix(found.KeysURL, "/openid/v1/jwks") {
		t.Fatalf("%d %s, error %v", got.code, got.body, err)
	}
	if cache := got.header.Get("Cache-Control"); cache != "public, max-age=3600" {
		t.Errorf("Cache-Control %q", cache)
	}
	got = do(t, request{path: "/openid/v1/jwks", config: config})
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(got.body, &keys); err != nil || got.header.Get("Content-Type") != "application/jwk-set+json" {
		t.Fatalf("%d %s, error %v", got.code, got.body, err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys, &claims); err != nil || claims.Subject != "system:serviceaccount:"+namespace+":clerk" {
		t.Errorf("subject %q, error %v", claims.Subject, err)
	}
}

// TestKeyRotation restarts a server: with its key, with a new one beside the old, and
// with the new one alone.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	dir, keys := t.TempDir(), t.TempDir()
	if _, err := (pki.Store{Dir: keys}).EnsureKey(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	created := filepath.Join(dir, "pki", "sa.pub")
	var old string
	for _, tc := range []struct {
		what  string
		flags []string
		holds bool
	}{
		{"first start", nil, true},
		{"second start", nil, true},
		{"both keys", []string{"--service-account-signing-key-file=" + filepath.Join(keys, "new.key"), "--service-account-key-file=" + created}, true},
		{"the new key", []string{"--service-account-signing-key-file=" + filepath.Join(keys, "new.key")}, false},
	} {
		server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags(tc.flags...))
		admin := clientFor(t, server.Config())
		if old == "" {
			account(t, admin, "default")
			old = tokenOf(t, admin, "default", authenticationv1.TokenRequestSpec{}).Status.Token
		}
		if _, err := whoami(t.Context(), clientFor(t, bearer(server.Config(), old))); (err == nil) != tc.holds {
			t.Errorf("%s: old token: %v, want it to hold: %t", tc.what, err, tc.holds)
		}
		fresh := tokenOf(t, admin, "default", authenticationv1.TokenRequestSpec{}).Status.Token
		if _, err := whoami(t.Context(), clientFor(t, bearer(server.Config(), fresh))); err != nil {
			t.Errorf("%s: new token: %v", tc.what, err)
		}
		server.Stop()
	}
	if info, err := os.Stat(filepath.Join(dir, "pki", "sa.key")); err != nil || info.Mode() != 0o600 {
		t.Errorf("sa.key: %v, error %v", info, err)
	}
}

// TestTokenLimits starts a server with issuers, audiences and a limit of its own.
func TestTokenLimits(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags("--service-account-issuer=https://new.example.com", "--service-account-issuer=https://old.example.com",
		"--api-audiences=stoa,other", "--service-account-max-token-expiration=2h", "--service-account-jwks-uri=https://keys.example.com/jwks"))
	admin := clientFor(t, server.Config())
	account(t, admin, "default")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "till"}, Spec: corev1.PodSpec{ServiceAccountName: "clerk", Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	if _, err := admin.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		spec          authenticationv1.TokenRequestSpec
		told, written float64
		warnAfter     bool
	}{
		"short": {authenticationv1.TokenRequestSpec{}, 3600, 3600, false},
		"long":  {authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(86400))}, 7200, 7200, false},
		"a pod's": {authenticationv1.TokenRequestSpec{
			ExpirationSeconds: new(int64(3607)), BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "till"},
		}, 3607, 365 * 86400, true},
		"a pod's for others": {authenticationv1.TokenRequestSpec{
			ExpirationSeconds: new(int64(3607)), Audiences: []string{"stoa", "vault"},
			BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "till"},
		}, 3607, 3607, false},
	} {
		got := tokenOf(t, admin, "default", tc.spec)
		if told := float64(*got.Spec.ExpirationSeconds); told != tc.told {
			t.Errorf("%s: told %v seconds, want %v", name, told, tc.told)
		}
		claims := claimsOf(t, got.Status.Token)
		if written := claims["exp"].(float64) - claims["iat"].(float64); written != tc.written {
			t.Errorf("%s: written %v seconds, want %v", name, written, tc.written)
		}
		if _, warns := claims["kubernetes.io"].(map[string]any)["warnafter"]; warns != tc.warnAfter {
			t.Errorf("%s: warns: %t, want %t", name, warns, tc.warnAfter)
		}
		if claims["iss"] != "https://new.example.com" {
			t.Errorf("%s: issuer %v", name, claims["iss"])
		}
		if tc.spec.Audiences == nil && cmp.Diff([]any{"stoa", "other"}, claims["aud"]) != "" {
			t.Errorf("%s: audiences %v", name, claims["aud"])
		}
		if _, err := whoami(t.Context(), clientFor(t, bearer(server.Config(), got.Status.Token))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	got := do(t, request{path: "/.well-known/openid-configuration", config: server.Config()})
	if !strings.Contains(string(got.body), `"jwks_uri":"https://keys.example.com/jwks"`) {
		t.Errorf("%d %s", got.code, got.body)
	}
}
