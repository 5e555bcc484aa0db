// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package catalogtest has catalogs for tests of controllers, of servers that are not
// there: no request is sent.
package catalogtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/controllers/catalog"
)

// Server is what a catalog asks.
type Server struct {
	mu        sync.Mutex
	version   int
	resources []catalog.Resource
	failed    []schema.GroupVersion
}

var _ http.RoundTripper = (*Server)(nil)

// New returns the catalog of a server with resources, which Set changes.
func New(tb testing.TB, resources ...catalog.Resource) (*catalog.Catalog, *Server) {
	tb.Helper()
	s := &Server{resources: resources}
	c, err := catalog.New(&rest.Config{Host: "http://nowhere", Transport: s})
	if err != nil {
		tb.Fatal(err)
	}
	return c, s
}

// Resource returns a resource that can do everything.
func Resource(resource schema.GroupVersionResource, kind string, scope apidiscoveryv2.ResourceScope) catalog.Resource {
	return catalog.Resource{
		GroupVersionResource: resource, Kind: kind, Namespaced: scope == apidiscoveryv2.ScopeNamespace,
		Verbs: []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"},
	}
}

// Set changes what the server serves, and the versions of which it does not know what
// they have.
func (s *Server) Set(resources []catalog.Resource, failed ...schema.GroupVersion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.resources, s.failed = resources, failed
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(code int, body []byte) (*http.Response, error) {
		return &http.Response{
			StatusCode: code, Status: strconv.Itoa(code), Request: request, Body: io.NopCloser(bytes.NewReader(body)),
			Header: http.Header{"Etag": {strconv.Itoa(s.version)}, "Content-Type": {"application/json"}},
		}, nil
	}
	if request.Header.Get("If-None-Match") == strconv.Itoa(s.version) {
		return answer(http.StatusNotModified, nil)
	}
	body, err := json.Marshal(s.list(request.URL.Path == "/api"))
	if err != nil {
		return nil, err
	}
	return answer(http.StatusOK, body)
}

// list is the answer of discovery about the core group, or all others.
func (s *Server) list(core bool) apidiscoveryv2.APIGroupDiscoveryList {
	var out apidiscoveryv2.APIGroupDiscoveryList
	version := func(gv schema.GroupVersion, v apidiscoveryv2.APIVersionDiscovery) {
		if v.Version = gv.Version; core == (gv.Group == "") {
			out.Items = append(out.Items, apidiscoveryv2.APIGroupDiscovery{
				ObjectMeta: metav1.ObjectMeta{Name: gv.Group}, Versions: []apidiscoveryv2.APIVersionDiscovery{v},
			})
		}
	}
	for _, r := range s.resources {
		scope := apidiscoveryv2.ScopeCluster
		if r.Namespaced {
			scope = apidiscoveryv2.ScopeNamespace
		}
		version(r.GroupVersion(), apidiscoveryv2.APIVersionDiscovery{Resources: []apidiscoveryv2.APIResourceDiscovery{{
			Resource: r.Resource, ResponseKind: &metav1.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}, Scope: scope, Verbs: r.Verbs,
		}}})
	}
	for _, gv := range s.failed {
		version(gv, apidiscoveryv2.APIVersionDiscovery{Freshness: apidiscoveryv2.DiscoveryFreshnessStale})
	}
	return out
}
