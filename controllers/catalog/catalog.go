// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package catalog is what the server serves, as its discovery tells: also custom
// resources and those of aggregated servers. Controllers that work on all kinds read
// it. As long as nothing changes, that costs two short answers.
package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// accept asks for all resources of all groups in one answer.
const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// Resource is a resource in the version that the server prefers.
type Resource struct {
	schema.GroupVersionResource
	Kind       string
	Namespaced bool
	Verbs      []string
}

// Can says whether the resource has all of the verbs.
func (r Resource) Can(verbs ...string) bool {
	return !slices.ContainsFunc(verbs, func(v string) bool { return !slices.Contains(r.Verbs, v) })
}

// List is what the server serves at one time. It is read only.
type List struct {
	Resources []Resource
	kinds     map[schema.GroupKind][]Resource
	// failed are versions of which the server does not know what they have.
	failed map[schema.GroupVersion]error
}

// Kind returns the resource of a kind, in the version asked for if that is served, or
// else in another one.
func (l *List) Kind(version schema.GroupVersion, kind string) (Resource, bool) {
	found := l.kinds[version.WithKind(kind).GroupKind()]
	// What a version that does not answer has, another one may lack.
	if _, unknown := l.failed[version]; unknown || len(found) == 0 {
		return Resource{}, false
	}
	if i := slices.IndexFunc(found, func(r Resource) bool { return r.Version == version.Version }); i > 0 {
		return found[i], true
	}
	return found[0], true
}

// Resource returns a resource in the version that the server prefers.
func (l *List) Resource(resource schema.GroupResource) (Resource, bool) {
	i := slices.IndexFunc(l.Resources, func(r Resource) bool { return r.GroupResource() == resource })
	if i < 0 {
		return Resource{}, false
	}
	return l.Resources[i], true
}

// Failed says whether the server does not know what a group has in one of its versions.
func (l *List) Failed(group string) bool {
	return slices.ContainsFunc(l.FailedVersions(), func(gv schema.GroupVersion) bool { return gv.Group == group })
}

// FailedVersions are the versions of which the server does not know what they have.
func (l *List) FailedVersions() []schema.GroupVersion { return slices.Collect(maps.Keys(l.failed)) }

// Err names the versions that the list lacks, as clients do; nil for none.
func (l *List) Err() error {
	if len(l.failed) == 0 {
		return nil
	}
	return &discovery.ErrGroupDiscoveryFailed{Groups: l.failed}
}

// Catalog asks the server.
type Catalog struct {
	client *http.Client
	host   string

	mu        sync.Mutex // guards what follows, and has one ask at a time
	documents []document
	list      *List // nil if a document has changed since
}

// document is an answer of discovery, and what was in it.
type document struct {
	path, etag string
	served     []Resource // in all versions, those of a group in the order of preference
	failed     []schema.GroupVersion
}

// New returns the catalog of a server.
func New(config *rest.Config) (*Catalog, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("client for discovery: %w", err)
	}
	return &Catalog{client: client, host: config.Host, documents: []document{{path: "/api"}, {path: "/apis"}}}, nil
}

// Get returns what the server serves now: the list of the call before if it still is.
func (c *Catalog) Get(ctx context.Context) (*List, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.documents {
		changed, err := c.fetch(ctx, &c.documents[i])
		if err != nil {
			return nil, err
		}
		if changed {
			c.list = nil
		}
	}
	if c.list == nil {
		c.list = newList(c.documents)
	}
	return c.list, nil
}

// fetch reads a document anew if it changed, and says whether it did.
func (c *Catalog) fetch(ctx context.Context, d *document) (changed bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.host+d.path, http.NoBody)
	if err != nil {
		return false, fmt.Errorf("discovery: %w", err)
	}
	request.Header.Set("Accept", accept)
	if d.etag != "" {
		request.Header.Set("If-None-Match", d.etag)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return false, fmt.Errorf("discovery: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusNotModified:
		return false, nil
	case http.StatusNotFound: // a server without this part
		changed, d.etag, d.served, d.failed = len(d.served)+len(d.failed) > 0, "", nil, nil
		return changed, nil
	case http.StatusOK:
	default:
		return false, errors.New("discovery: " + d.path + " answered " + response.Status)
	}
	var list apidiscoveryv2.APIGroupDiscoveryList
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return false, fmt.Errorf("discovery: %s: %w", d.path, err)
	}
	d.etag, d.served, d.failed = response.Header.Get("ETag"), nil, nil
	for _, group := range list.Items {
		for _, version := range group.Versions {
			d.read(schema.GroupVersion{Group: group.Name, Version: version.Version}, version)
		}
	}
	return true, nil
}

func (d *document) read(gv schema.GroupVersion, version apidiscoveryv2.APIVersionDiscovery) {
	if version.Freshness == apidiscoveryv2.DiscoveryFreshnessStale {
		d.failed = append(d.failed, gv)
		return
	}
	for _, r := range version.Resources {
		if r.ResponseKind != nil && r.ResponseKind.Kind != "" {
			d.served = append(d.served, Resource{
				GroupVersionResource: gv.WithResource(r.Resource), Kind: r.ResponseKind.Kind,
				Namespaced: r.Scope == apidiscoveryv2.ScopeNamespace, Verbs: r.Verbs,
			})
		}
	}
}

func newList(documents []document) *List {
	l := &List{kinds: map[schema.GroupKind][]Resource{}, failed: map[schema.GroupVersion]error{}}
	seen := map[schema.GroupResource]bool{}
	for _, d := range documents {
		for _, gv := range d.failed {
			l.failed[gv] = errors.New("stale GroupVersion discovery: " + gv.String())
		}
		for _, r := range d.served {
			kind := schema.GroupKind{Group: r.Group, Kind: r.Kind}
			l.kinds[kind] = append(l.kinds[kind], r)
			if name := r.GroupResource(); !seen[name] {
				seen[name] = true
				l.Resources = append(l.Resources, r)
			}
		}
	}
	return l
}
