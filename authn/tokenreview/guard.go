// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tokenreview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"
)

// maxAnswer is how long an answer may be, in bytes.
const maxAnswer = 1 << 20

// statusError is an answer that says that the service has failed.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// guard is a transport that makes no calls to a service that fails.
type guard struct {
	next    http.RoundTripper
	breaker *gobreaker.CircuitBreaker[struct{}]
	timeout time.Duration
}

var _ http.RoundTripper = (*guard)(nil)

// newBreaker opens after failures in a row, and then lets one call through at a time.
// told hears when it opens and closes.
func newBreaker(o Options, told func(gobreaker.State)) *gobreaker.CircuitBreaker[struct{}] {
	measured().state.Set(float64(gobreaker.StateClosed))
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:     o.BreakerOpen,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(o.BreakerFailures) },
		// What nobody waits for any more says nothing of the service.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			measured().state.Set(float64(to))
			told(to)
		},
	})
}

// RoundTrip implements http.RoundTripper. The answer has been read to its end: one that
// does not end is a failure too.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	var answer *http.Response
	_, err := g.breaker.Execute(func() (struct{}, error) {
		var err error
		if answer, err = g.call(r); err != nil { //nolint:bodyclose // it is in memory
			return struct{}{}, err
		}
		if answer.StatusCode >= http.StatusInternalServerError || answer.StatusCode == http.StatusTooManyRequests {
			return struct{}{}, statusError(answer.StatusCode)
		}
		return struct{}{}, nil
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		measured().rejected.WithLabelValues(becauseOpen).Inc()
		return nil, errOpen
	case errors.As(err, new(statusError)): // the client reads what it says
		measured().calls.WithLabelValues(resultFailure).Inc()
		return answer, nil
	case err != nil:
		measured().calls.WithLabelValues(resultFailure).Inc()
		return nil, err
	}
	measured().calls.WithLabelValues(resultSuccess).Inc()
	return answer, nil
}

// call returns an answer with its body in memory.
func (g *guard) call(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), g.timeout)
	defer cancel()
	answer, err := g.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	_ = answer.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	// What a proxy shows while the service is away.
	if answer.StatusCode < http.StatusMultipleChoices && !json.Valid(body) {
		return nil, errors.New("the answer is not JSON")
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}
