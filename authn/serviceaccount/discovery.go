// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/emicklei/go-restful/v3"
	"github.com/go-jose/go-jose/v4"
	"k8s.io/klog/v2"
)

const (
	// KeysPath is where others find the keys that verify tokens.
	KeysPath = "/openid/v1/jwks"

	configurationPath = "/.well-known/openid-configuration"

	keysType = "application/jwk-set+json"
	// caching is how long a new key must be known here before it signs.
	caching = "public, max-age=3600"
)

// Discovery is what the rest of the world needs to verify tokens: the documents of
// OpenID Connect.
type Discovery struct{ configuration, keys []byte }

// NewDiscovery describes an issuer. The error says why it cannot be described: OpenID
// Connect wants a URL where a token has any text.
func NewDiscovery(issuer, keysURL string, keys Keys) (*Discovery, error) {
	if len(keys.all) == 0 {
		return nil, errors.New("there are no keys")
	}
	parsed, err := url.Parse(issuer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("issuer: %w", err)
	case parsed.Scheme != "https":
		return nil, fmt.Errorf("issuer URL must use https scheme, got: %s", issuer)
	case parsed.RawQuery != "":
		return nil, fmt.Errorf("issuer URL may not include a query, got: %s", issuer)
	case parsed.Fragment != "":
		return nil, fmt.Errorf("issuer URL may not include a fragment, got: %s", issuer)
	}
	var algorithms []string
	for _, key := range keys.all {
		algorithms = append(algorithms, key.Algorithm)
	}
	slices.Sort(algorithms)
	d := &Discovery{}
	d.configuration, err = json.Marshal(struct {
		Issuer        string   `json:"issuer"`
		KeysURL       string   `json:"jwks_uri"`
		ResponseTypes []string `json:"response_types_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	}{issuer, keysURL, []string{"id_token"}, []string{"public"}, slices.Compact(algorithms)})
	if err != nil {
		return nil, err
	}
	if d.keys, err = json.Marshal(jose.JSONWebKeySet{Keys: keys.all}); err != nil {
		return nil, fmt.Errorf("encode keys: %w", err)
	}
	return d, nil
}

// Install serves the documents, which then are also in the OpenAPI documents.
func (d *Discovery) Install(container *restful.Container) {
	for _, document := range []struct {
		path, contentType, doc, operation string
		content                           []byte
	}{
		{
			configurationPath, restful.MIME_JSON, "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
			"getServiceAccountIssuerOpenIDConfiguration", d.configuration,
		},
		{
			KeysPath, keysType, "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
			"getServiceAccountIssuerOpenIDKeyset", d.keys,
		},
	} {
		service := new(restful.WebService).Path(document.path).Produces(document.contentType)
		service.Route(service.GET("").Doc(document.doc).Operation(document.operation).Returns(http.StatusOK, "OK", "").
			To(func(request *restful.Request, response *restful.Response) {
				response.Header().Set("Content-Type", document.contentType)
				response.Header().Set("Cache-Control", caching)
				if _, err := response.Write(document.content); err != nil {
					klog.FromContext(request.Request.Context()).V(4).Info("Could not answer about the issuer of tokens", "err", err) //nolint:mnd // for debugging
				}
			}))
		container.Add(service)
	}
}
