// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	registration "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
)

const (
	// reviewTimeout is how long the cluster has to say who somebody is or what he may do.
	reviewTimeout = 5 * time.Second
	// failures in a row have the cluster left alone for pause, so that requests need not
	// all wait for an answer that does not come.
	failures = 3
	pause    = 2 * time.Second
	// redial is how often what waits for the cluster tries to reach it.
	redial = time.Second
)

// errAway is the error of a review while the cluster is left alone.
var errAway = errors.New("the host cluster does not answer, and is not asked for a while")

// Options say which cluster it is.
type Options struct {
	// Kubeconfig is a file that says how to reach the cluster. Empty: this is a pod of it.
	Kubeconfig string
	// Grace is how long what the cluster said last holds for reads when it is away.
	Grace time.Duration
}

// Host is the cluster. Its clients are not throttled.
type Host struct {
	// Config is how to reach it, and Client does.
	Config *rest.Config
	Client kubernetes.Interface

	options       Options
	registrations registration.APIServiceInterface
	breaker       *gobreaker.CircuitBreaker[*http.Response]
	trust         trust
	rights        recent
}

// Open reads how to reach the cluster. It need not be there yet. ctx carries the logger,
// and ends when the server is to.
func Open(ctx context.Context, o Options) (*Host, error) {
	config, err := load(o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{} // they are for users
	config = rest.AddUserAgent(config, "stoa-aggregated")
	h := &Host{Config: config, options: o}
	if h.Client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	apis, err := registration.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	h.registrations = apis.APIServices()
	logger := klog.FromContext(ctx)
	h.breaker = gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{ //nolint:bodyclose // there is no response
		Timeout:     pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failures },
		// What nobody waits for any more says nothing of the cluster.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				logger.Error(nil, "The host cluster does not answer; reads go on with what it said before", "grace", o.Grace)
			case gobreaker.StateClosed:
				logger.Info("The host cluster answers again")
			case gobreaker.StateHalfOpen:
			}
		},
	})
	h.trust, err = newTrust(ctx, h.Client)
	return h, err
}

func load(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("--kubeconfig must be set outside a cluster: %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	return config, nil
}

// Background is how to reach the cluster for what no request waits for: informers and
// controllers. What cannot be sent waits until it can, so that they go on as soon as the
// cluster is back; they themselves would stay away ever longer.
func (h *Host) Background() *rest.Config {
	config := rest.CopyConfig(h.Config)
	config.Wrap(patient)
	return config
}

func patient(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		for {
			answer, err := next.RoundTrip(r)
			if failed := (*net.OpError)(nil); !errors.As(err, &failed) || failed.Op != "dial" {
				return answer, err
			}
			// Nothing was sent; the body that has been closed is there again.
			if r.GetBody != nil {
				body, err := r.GetBody()
				if err != nil {
					return nil, err
				}
				r = r.Clone(r.Context())
				r.Body = body
			} else if r.Body != nil {
				return nil, err
			}
			select {
			case <-r.Context().Done():
				return nil, err
			case <-time.After(redial):
			}
		}
	})
}

// guard makes no calls to a cluster that does not answer.
func (h *Host) guard(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := h.breaker.Execute(func() (*http.Response, error) { return next.RoundTrip(r) })
		if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
			return nil, errAway
		}
		return answer, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
