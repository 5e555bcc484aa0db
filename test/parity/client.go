// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// client talks to the server that is measured.
type client struct {
	url  string
	http *http.Client
}

func newClient(config *rest.Config) (*client, error) {
	out, err := rest.HTTPClientFor(config)
	return &client{url: config.Host, http: out}, err
}

type response struct {
	code     int
	body     *object
	warnings []string
}

func (r response) ok() bool { return r.code >= 200 && r.code < 300 }

const asJSON = "application/json"

// do sends a request. body may be nil.
func (c *client) do(ctx context.Context, method, path string, body *object, accept string) (response, error) {
	var data []byte
	if body != nil {
		var err error
		if data, err = marshal(body); err != nil {
			return response{}, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(data))
	if err != nil {
		return response{}, err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "parity")
	if body != nil {
		request.Header.Set("Content-Type", asJSON)
	}
	got, err := c.http.Do(request)
	if err != nil && ctx.Err() == nil {
		// A handler that fails badly ends the connection; kube-apiserver has one too.
		hungUp := newObject()
		hungUp.set("message", "Remote end closed connection without response")
		return response{body: hungUp}, nil
	}
	if err != nil {
		return response{}, err
	}
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		return response{}, err
	}
	out := response{code: got.StatusCode}
	for _, warning := range got.Header.Values("Warning") {
		// 299 - "text"
		if _, rest, ok := strings.Cut(warning, `"`); ok {
			out.warnings = append(out.warnings, rest[:strings.LastIndex(rest, `"`)])
		}
	}
	if parsed, err := parse(raw); err == nil {
		out.body, _ = parsed.(*object)
	}
	if out.body == nil && out.ok() && len(raw) > 0 {
		return out, fmt.Errorf("%s %s: %d with a body that is no object: %.100s", method, path, out.code, raw)
	}
	return out, nil
}

func (c *client) get(ctx context.Context, path string) (*object, error) {
	got, err := c.do(ctx, http.MethodGet, path, nil, asJSON)
	return got.body, err
}
