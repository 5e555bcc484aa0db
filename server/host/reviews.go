// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	tokencache "k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/webhook"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

const (
	// reviewTTL is how long an answer is not asked for again. It is upstream's.
	reviewTTL = 10 * time.Second
	// remembered is of how many tokens, and of how many requests, the last answer is kept.
	remembered = 8192
)

// Tokens knows users by bearer tokens that the cluster knows.
func (h *Host) Tokens() (authenticator.Token, error) {
	config := rest.CopyConfig(h.Config)
	config.Wrap(h.guard)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	reviews, err := webhook.NewFromInterface(client.AuthenticationV1(), nil, *genericoptions.DefaultAuthWebhookRetryBackoff(), reviewTimeout, webhook.AuthenticatorMetrics{
		RecordRequestTotal: authenticatorfactory.RecordRequestTotal, RecordRequestLatency: authenticatorfactory.RecordRequestLatency,
	})
	if err != nil {
		return nil, fmt.Errorf("token reviews: %w", err)
	}
	return &tokens{
		reviews: tokencache.New(discreet{reviews}, false, reviewTTL, reviewTTL), last: utilcache.NewLRUExpireCache(remembered), grace: h.options.Grace,
	}, nil
}

// discreet keeps a client that logs bodies from logging tokens.
type discreet struct{ authenticator.Token }

// AuthenticateToken implements authenticator.Token.
func (d discreet) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	return d.Token.AuthenticateToken(klog.NewContext(ctx, logr.Discard()), token)
}

// tokens remembers who the cluster said users are.
type tokens struct {
	reviews authenticator.Token
	last    *utilcache.LRUExpireCache
	grace   time.Duration
}

// AuthenticateToken implements authenticator.Token.
func (t *tokens) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	response, ok, err := t.reviews.AuthenticateToken(ctx, token)
	key := sha256.Sum256([]byte(token))
	switch {
	case err == nil && ok:
		t.last.Add(key, response, t.grace)
	case err == nil:
		t.last.Remove(key)
	case isAway(err):
		if known, found := t.last.Get(key); found {
			return known.(*authenticator.Response), true, nil
		}
	}
	return response, ok, err
}

// Authorizer has the cluster decide who may do what. The group system:masters may do
// everything, and everybody may ask for health.
func (h *Host) Authorizer() (authorizer.Authorizer, error) {
	o := genericoptions.NewDelegatingAuthorizationOptions()
	o.RemoteKubeConfigFile = h.options.Kubeconfig
	o.AllowCacheTTL, o.DenyCacheTTL = reviewTTL, reviewTTL
	o.AlwaysAllowPaths = append(o.AlwaysAllowPaths, "/healthz/*", "/livez/*", "/readyz/*")
	o.WithClientTimeout(reviewTimeout)
	o.WithCustomRoundTripper(h.guard)
	var info genericapiserver.AuthorizationInfo
	if err := o.ApplyTo(&info); err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	d := &decisions{reviews: info.Authorizer, last: utilcache.NewLRUExpireCache(remembered), grace: h.options.Grace}
	return authorizer.AuthorizerFunc(d.authorize), nil
}

// decisions remembers which reads the cluster allowed.
type decisions struct {
	reviews authorizer.Authorizer
	last    *utilcache.LRUExpireCache
	grace   time.Duration
}

func (d *decisions) authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	decision, reason, err := d.reviews.Authorize(ctx, a)
	if !a.IsReadOnly() {
		return decision, reason, err
	}
	switch {
	case decision == authorizer.DecisionAllow:
		d.last.Add(keyOf(a), nil, d.grace)
	case err == nil:
		d.last.Remove(keyOf(a))
	case isAway(err):
		if _, found := d.last.Get(keyOf(a)); found {
			return authorizer.DecisionAllow, "the host cluster allowed it before, and does not answer", nil
		}
	}
	return decision, reason, err
}

// keyOf stands for what an authorizer may look at.
func keyOf(a authorizer.Attributes) [sha256.Size]byte {
	who := user.DefaultInfo{}
	if u := a.GetUser(); u != nil {
		who = user.DefaultInfo{Name: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups(), Extra: u.GetExtra()}
	}
	byFields, fieldErr := a.GetFieldSelector()
	byLabels, labelErr := a.GetLabelSelector()
	content, err := json.Marshal(struct {
		Who                                                          user.DefaultInfo
		Verb, Namespace, Group, Version, Resource, Subresource, Name string
		Path, Fields, Labels                                         string
		IsResource                                                   bool
	}{
		who, a.GetVerb(), a.GetNamespace(), a.GetAPIGroup(), a.GetAPIVersion(), a.GetResource(), a.GetSubresource(), a.GetName(),
		a.GetPath(), fmt.Sprint(byFields, fieldErr), fmt.Sprint(byLabels, labelErr), a.IsResourceRequest(),
	})
	if err != nil {
		panic(fmt.Errorf("strings have a form in JSON: %w", err)) // only a programmer can cause it
	}
	return sha256.Sum256(content)
}

// isAway says whether an error is that of a cluster that does not answer. One that
// refuses the server does.
func isAway(err error) bool {
	if all := utilerrors.Aggregate(nil); errors.As(err, &all) {
		return slices.ContainsFunc(all.Errors(), isAway)
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		code := status.Status().Code
		return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
	}
	return true
}
