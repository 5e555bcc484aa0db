// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	testclock "k8s.io/utils/clock/testing"

	"github.com/stoa-project/stoa/authn/serviceaccount"
	"github.com/stoa-project/stoa/registry/kind"
)

const (
	issuerName = "https://kubernetes.default.svc"
	keyBits    = 2048
)

// start is when the clock of a fixture starts.
func start() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

// testKeys are made once, because RSA takes its time.
var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	out := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{"": elliptic.P256(), "other": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		out[name] = key
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		panic(err)
	}
	out["RSA"] = key
	return out
})

// objects are what tokens name.
type objects struct {
	accounts map[string]*corev1.ServiceAccount
	pods     map[string]*corev1.Pod
	secrets  map[string]*corev1.Secret
	nodes    map[string]*corev1.Node
	err      error
}

var _ serviceaccount.Objects = (*objects)(nil)

func find[T any](o *objects, resource string, all map[string]*T, r serviceaccount.Reference) (*T, error) {
	if o.err != nil {
		return nil, o.err
	}
	if found, ok := all[r.Name]; ok {
		return found, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource(resource), r.Name)
}

func (o *objects) ServiceAccount(_ context.Context, r serviceaccount.Reference) (*corev1.ServiceAccount, error) {
	return find(o, "serviceaccounts", o.accounts, r)
}

func (o *objects) Pod(_ context.Context, r serviceaccount.Reference) (*corev1.Pod, error) {
	return find(o, "pods", o.pods, r)
}

func (o *objects) Secret(_ context.Context, r serviceaccount.Reference) (*corev1.Secret, error) {
	return find(o, "secrets", o.secrets, r)
}

func (o *objects) Node(_ context.Context, r serviceaccount.Reference) (*corev1.Node, error) {
	return find(o, "nodes", o.nodes, r)
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name)}
}

// fixture is an authenticator and what it looks at.
type fixture struct {
	serviceaccount.Config
	*objects
	clock *testclock.FakePassiveClock
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{
		objects: &objects{
			accounts: map[string]*corev1.ServiceAccount{"clerk": {ObjectMeta: meta("clerk")}},
			pods:     map[string]*corev1.Pod{"till": {ObjectMeta: meta("till")}},
			secrets:  map[string]*corev1.Secret{"drawer": {ObjectMeta: meta("drawer")}},
			nodes:    map[string]*corev1.Node{"worker": {ObjectMeta: meta("worker")}},
		},
		clock: testclock.NewFakePassiveClock(start()),
	}
	keys, err := serviceaccount.NewKeys(testKeys()[""])
	if err != nil {
		t.Fatal(err)
	}
	f.Config = serviceaccount.Config{
		Issuers: []string{issuerName}, Keys: keys, Audiences: authenticator.Audiences{issuerName}, Objects: f.objects, Clock: f.clock,
	}
	return f
}

// issue signs a token of the account with a key.
func issue(t testing.TB, key string, change func(*kind.TokenClaims)) string {
	t.Helper()
	issuer, err := serviceaccount.NewIssuer(issuerName, testKeys()[key])
	if err != nil {
		t.Fatal(err)
	}
	claims := kind.TokenClaims{
		Namespace: "shop", Account: kind.TokenObject{Name: "clerk", UID: "uid-of-clerk"},
		Audiences: []string{issuerName}, IssuedAt: start(), Seconds: 3600,
	}
	if change != nil {
		change(&claims)
	}
	token, _, err := issuer.Issue(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// sign signs any claims.
func sign(t testing.TB, key string, claims map[string]any) string {
	t.Helper()
	algorithm := jose.ES256
	if key == "RSA" {
		algorithm = jose.RS256
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: testKeys()[key]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// signText signs a payload as it stands.
func signText(t testing.TB, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: testKeys()[""]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
