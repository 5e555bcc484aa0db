// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tokenreview

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	tokencache "k8s.io/apiserver/pkg/authentication/token/cache"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/webhook"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/unverified"
)

const (
	// refusedFor is how long a token that the service does not know is not asked about
	// again, at most. It may be known a moment later.
	refusedFor = 10 * time.Second
	// bursts is how many seconds of calls may come at once.
	bursts = 2
)

// Errors are for the log and for who reviews a token; clients see 401.
var (
	errOpen     = errors.New("the token webhook has failed, and is not asked for a while")
	errBusy     = errors.New("the token webhook is asked about as many tokens as may be at once")
	errRate     = errors.New("the token webhook was asked about as many tokens as may be in a second")
	errNameless = errors.New("the token webhook names no user")
)

// Options say how the service is asked.
type Options struct {
	// Version is that of the group authentication.k8s.io that it understands, v1 or v1beta1.
	Version string
	// CacheTTL is how long an answer is kept; 0 is not at all.
	CacheTTL time.Duration
	// Timeout is how long a call may take.
	Timeout time.Duration
	// MaxInFlight is how many tokens are asked about at once, and QPS in a second.
	MaxInFlight int
	QPS         float64
	// BreakerFailures in a row have the service left alone for BreakerOpen.
	BreakerFailures int
	BreakerOpen     time.Duration
}

// Config is what Options do not say.
type Config struct {
	// Kubeconfig is a file with the address of the service.
	Kubeconfig string
	// Audiences are those of the server, for an answer that names none.
	Audiences authenticator.Audiences
	// Private are tokens that the service must not see.
	Private func(token string) bool
}

// Authenticator is an authenticator.Token.
type Authenticator struct {
	private func(token string) bool
	answers authenticator.Token
}

var _ authenticator.Token = (*Authenticator)(nil)

// Check reports what is wrong with the file of a service.
func Check(kubeconfig string) error {
	_, err := webhookutil.LoadKubeconfig(kubeconfig, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", kubeconfig, err)
	}
	return nil
}

// New returns who asks a service. It calls nobody. ctx carries the logger.
func New(ctx context.Context, c Config, o Options) (*Authenticator, error) {
	client, err := webhookutil.LoadKubeconfig(c.Kubeconfig, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Kubeconfig, err)
	}
	logger := klog.FromContext(ctx)
	breaker := newBreaker(o, func(state gobreaker.State) {
		switch state {
		case gobreaker.StateOpen:
			logger.Error(nil, "The token webhook has failed and is not asked for a while", "failures", o.BreakerFailures, "while", o.BreakerOpen)
		case gobreaker.StateClosed:
			logger.Info("The token webhook answers again")
		case gobreaker.StateHalfOpen:
		}
	})
	client.Timeout = 0 // one that ends may look as if the client had given up; the guard has its own
	client.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &guard{next: next, breaker: breaker, timeout: o.Timeout}
	})
	reviews, err := webhook.New(client, o.Version, c.Audiences, *genericoptions.DefaultAuthWebhookRetryBackoff())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Kubeconfig, err)
	}
	asked := &asker{
		reviews: reviews, breaker: breaker, slots: make(chan struct{}, o.MaxInFlight),
		limiter: rate.NewLimiter(rate.Limit(o.QPS), max(1, int(bursts*o.QPS))),
	}
	return &Authenticator{private: c.Private, answers: tokencache.New(asked, false, o.CacheTTL, min(o.CacheTTL, refusedFor))}, nil
}

// AuthenticateToken implements authenticator.Token.
func (a *Authenticator) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	// RFC 6750 has fewer characters. In JSON others would become another token.
	if len(token) > unverified.MaxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) || a.private(token) {
		return nil, false, nil
	}
	return a.answers.AuthenticateToken(ctx, token)
}

// asker asks about a token each time.
type asker struct {
	reviews authenticator.Token
	breaker *gobreaker.CircuitBreaker[struct{}]
	slots   chan struct{}
	limiter *rate.Limiter
}

// AuthenticateToken implements authenticator.Token.
func (a *asker) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	if a.breaker.State() == gobreaker.StateOpen {
		return a.reject(becauseOpen, errOpen)
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		return a.reject(becauseBusy, errBusy)
	}
	if !a.limiter.Allow() {
		return a.reject(becauseRate, errRate)
	}
	// A client that logs the bodies of its requests would log the token.
	response, ok, err := a.reviews.AuthenticateToken(klog.NewContext(ctx, logr.Discard()), token)
	switch {
	case errors.Is(err, errOpen):
		return nil, false, errOpen
	case err != nil:
		return nil, false, fmt.Errorf("token webhook: %w", err)
	case ok && response.User.GetName() == "":
		return nil, false, errNameless
	}
	return response, ok, nil
}

func (a *asker) reject(reason string, err error) (*authenticator.Response, bool, error) {
	measured().rejected.WithLabelValues(reason).Inc()
	return nil, false, err
}
