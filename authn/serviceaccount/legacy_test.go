// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/authn/serviceaccount"
)

// inSecret are the claims of a token that kube-controller-manager has put into a secret.
func inSecret() map[string]any {
	return map[string]any{
		"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:shop:clerk",
		"kubernetes.io/serviceaccount/namespace":            "shop",
		"kubernetes.io/serviceaccount/secret.name":          "drawer",
		"kubernetes.io/serviceaccount/service-account.name": "clerk",
		"kubernetes.io/serviceaccount/service-account.uid":  "uid-of-clerk",
	}
}

func TestInSecret(t *testing.T) {
	t.Parallel()
	const prefix = "kubernetes.io/serviceaccount/"
	const marked = "the token in secret shop/drawer for service account shop/clerk has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the 'kubernetes.io/legacy-token-invalid-since' label from the secret to temporarily allow use of this token"
	today := map[string]string{"kubernetes.io/legacy-token-last-used": "2026-11-22"}
	for name, tc := range map[string]struct {
		claims  map[string]any
		change  func(*fixture)
		without bool // lookup
		want    string
		label   bool
	}{
		"good":       {label: true},
		"used today": {change: func(f *fixture) { f.secrets["drawer"].Labels = today }},
		"used where it is later": {change: func(f *fixture) {
			f.secrets["drawer"].Labels = map[string]string{"kubernetes.io/legacy-token-last-used": "2026-11-23"}
		}},
		"made by a controller": {label: true, change: func(f *fixture) {
			f.accounts["clerk"].Secrets = []corev1.ObjectReference{{Name: "drawer"}}
		}},
		"marked": {label: true, want: marked, change: func(f *fixture) {
			f.secrets["drawer"].Labels = map[string]string{"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}
		}},
		"no sub":         {claims: map[string]any{"sub": ""}, want: "sub claim is missing"},
		"no namespace":   {claims: map[string]any{prefix + "namespace": ""}, want: "namespace claim is missing"},
		"no secret":      {claims: map[string]any{prefix + "secret.name": ""}, want: "secretName claim is missing"},
		"no account":     {claims: map[string]any{prefix + "service-account.name": ""}, want: "serviceAccountName claim is missing"},
		"no UID":         {claims: map[string]any{prefix + "service-account.uid": ""}, want: "serviceAccountUID claim is missing"},
		"another sub":    {claims: map[string]any{"sub": "system:serviceaccount:shop:owner"}, want: "sub claim is invalid"},
		"a sub of parts": {claims: map[string]any{"sub": "system:serviceaccount:shop:a:b", prefix + "service-account.name": "a:b"}, want: "sub claim is invalid"},
		"secret gone":    {change: func(f *fixture) { clear(f.secrets) }, want: "Token has been invalidated"},
		"secret ending":  {change: func(f *fixture) { f.secrets["drawer"].DeletionTimestamp = &metav1.Time{Time: start()} }, want: "Token has been invalidated"},
		"another token":  {change: func(f *fixture) { f.secrets["drawer"].Data["token"] = []byte("x") }, want: "Token does not match server's copy"},
		"account gone":   {change: func(f *fixture) { clear(f.accounts) }, want: `serviceaccounts "clerk" not found`},
		"account ending": {change: func(f *fixture) { f.accounts["clerk"].DeletionTimestamp = &metav1.Time{Time: start()} }, want: "ServiceAccount shop/clerk has been deleted"},
		"account again":  {change: func(f *fixture) { f.accounts["clerk"].UID = "another" }, want: "ServiceAccount UID (another) does not match claim (uid-of-clerk)"},
		"not looked up":  {without: true, change: func(f *fixture) { clear(f.secrets); clear(f.accounts) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			claims := inSecret()
			maps.Copy(claims, tc.claims)
			token := sign(t, "", claims)
			f.secrets["drawer"].Data = map[string][]byte{"token": []byte(token)}
			client := fake.NewClientset(f.secrets["drawer"].DeepCopy())
			if !tc.without {
				f.Secrets = client.CoreV1()
			}
			if tc.change != nil {
				tc.change(f)
			}
			response, ok, err := serviceaccount.New(f.Config).AuthenticateToken(t.Context(), token)
			if ok != (tc.want == "") || text(err) != tc.want {
				t.Fatalf("accepted: %t, error %v", ok, err)
			}
			if ok {
				want := &user.DefaultInfo{
					Name: "system:serviceaccount:shop:clerk", UID: "uid-of-clerk", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:shop"},
				}
				if diff := cmp.Diff(want, response.User); diff != "" {
					t.Errorf("user (-want +got):\n%s", diff)
				}
			}
			var patches []string
			for _, action := range client.Actions() {
				patches = append(patches, string(action.(clienttesting.PatchAction).GetPatch()))
			}
			var want []string
			if tc.label {
				want = []string{`{"kind":"Secret","apiVersion":"v1","metadata":{"name":"drawer","namespace":"shop","uid":"uid-of-drawer","labels":{"kubernetes.io/legacy-token-last-used":"2026-11-22"}}}`}
			}
			if diff := cmp.Diff(want, patches); diff != "" {
				t.Errorf("patches (-want +got):\n%s", diff)
			}
		})
	}
}
