// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
)

// readyInterval is how often WaitReady asks.
const readyInterval = 5 * time.Millisecond

// WaitReady returns when /readyz says ok. Run must be running. The error of a
// context that ends before says what was not ready yet.
func (s *Server) WaitReady(ctx context.Context) error {
	config := s.Loopback()
	config.ContentType = ""
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("loopback client: %w", err)
	}
	defer client.CloseIdleConnections()
	last := errors.New("no answer yet")
	err = wait.PollUntilContextCancel(ctx, readyInterval, true, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/readyz", http.NoBody)
		if err != nil {
			return false, err
		}
		response, err := client.Do(request)
		if err != nil {
			last = err
			return false, nil
		}
		_ = response.Body.Close()
		last = fmt.Errorf("/readyz answered %s", response.Status)
		return response.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		return fmt.Errorf("wait until the server is ready: %w: %w", err, last)
	}
	return nil
}
