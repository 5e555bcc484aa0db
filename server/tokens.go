// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apitypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/authn/serviceaccount"
	"github.com/stoa-project/stoa/registry/kind"
)

// tokens are those of service accounts.
type tokens struct {
	options *TokenOptions
	issuer  *serviceaccount.Issuer
	keys    serviceaccount.Keys
}

// newTokens loads the keys, and makes the one that signs if it is missing.
func newTokens(ctx context.Context, c CompletedOptions) (*tokens, error) {
	o := c.Authentication.Tokens
	o.warn(ctx)
	signing, err := o.ensureSigningKey(ctx, c.pki)
	if err != nil {
		return nil, err
	}
	public, err := o.publicKeys()
	if err != nil {
		return nil, err
	}
	t := &tokens{options: o}
	if t.keys, err = serviceaccount.NewKeys(append(public, signing)...); err != nil {
		return nil, fmt.Errorf("keys of service account tokens: %w", err)
	}
	t.issuer, err = serviceaccount.NewIssuer(o.Issuers[0], signing)
	return t, err
}

// authenticator believes tokens. What they are bound to is in the stores, which must be
// there before the first request. client writes down that a token in a secret was used.
func (t *tokens) authenticator(client kubernetes.Interface, all stores) authenticator.Token {
	config := serviceaccount.Config{
		Issuers: t.options.Issuers, Keys: t.keys, Audiences: t.options.audiences(), Objects: storedObjects{all},
	}
	if t.options.Lookup {
		config.Secrets = client.CoreV1()
	}
	return serviceaccount.New(config)
}

// kind is what issues tokens for the API; nil if nothing does.
func (t *tokens) kind() *kind.Tokens {
	if t == nil {
		return nil
	}
	out := &kind.Tokens{Issue: t.issuer.Issue, MaxSeconds: int64(t.options.MaxExpiration / time.Second)}
	if t.options.ExtendExpiration {
		out.ExtendedSeconds = int64(extendedTokenLifetime / time.Second)
	}
	return out
}

// serveDiscovery tells others how to verify tokens, if the issuer has a name that
// they can look up.
func (t *tokens) serveDiscovery(ctx context.Context, s *genericapiserver.GenericAPIServer) {
	if t == nil {
		return
	}
	keysURL := t.options.KeysURL
	if keysURL == "" {
		keysURL = (&url.URL{Scheme: "https", Host: s.ExternalAddress, Path: serviceaccount.KeysPath}).String()
	}
	discovery, err := serviceaccount.NewDiscovery(t.options.Issuers[0], keysURL, t.keys)
	if err != nil {
		klog.FromContext(ctx).Info("Documents of OpenID discovery are not served", "reason", err.Error())
		return
	}
	discovery.Install(s.Handler.GoRestfulContainer)
}

// storedObjects reads what tokens are bound to from the stores of the server.
type storedObjects struct{ stores stores }

var _ serviceaccount.Objects = storedObjects{}

// ServiceAccount implements serviceaccount.Objects.
func (s storedObjects) ServiceAccount(ctx context.Context, r serviceaccount.Reference) (*corev1.ServiceAccount, error) {
	obj, err := s.get(ctx, "serviceaccounts", r)
	if err != nil {
		return nil, err
	}
	return (*corev1.ServiceAccount)(obj.(*core.ServiceAccount)), nil
}

// Pod implements serviceaccount.Objects.
func (s storedObjects) Pod(ctx context.Context, r serviceaccount.Reference) (*corev1.Pod, error) {
	obj, err := s.get(ctx, "pods", r)
	if err != nil {
		return nil, err
	}
	return (*corev1.Pod)(obj.(*core.Pod)), nil
}

// Secret implements serviceaccount.Objects.
func (s storedObjects) Secret(ctx context.Context, r serviceaccount.Reference) (*corev1.Secret, error) {
	obj, err := s.get(ctx, "secrets", r)
	if err != nil {
		return nil, err
	}
	return (*corev1.Secret)(obj.(*core.Secret)), nil
}

// Node implements serviceaccount.Objects.
func (s storedObjects) Node(ctx context.Context, r serviceaccount.Reference) (*corev1.Node, error) {
	obj, err := s.get(ctx, "nodes", r)
	if err != nil {
		return nil, err
	}
	return (*corev1.Node)(obj.(*core.Node)), nil
}

// get reads an object from the cache, and from etcd if the cache has another one or
// none: it may be behind.
func (s storedObjects) get(ctx context.Context, resource string, r serviceaccount.Reference) (runtime.Object, error) {
	store, key := s.stores.kind("", resource), apitypes.NamespacedName{Namespace: r.Namespace, Name: r.Name}
	if store == nil {
		return nil, apierrors.NewNotFound(core.Resource(resource), r.Name)
	}
	cached, err := store.Lookup(ctx, key, kind.FromCache)
	if err == nil && (r.UID == "" || cached.(metav1.Object).GetUID() == r.UID) {
		return cached, nil
	}
	return store.Lookup(ctx, key, kind.FromStore)
}
