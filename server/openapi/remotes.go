// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	registrationhelpers "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	registrationlisters "k8s.io/kube-aggregator/pkg/client/listers/apiregistration/v1"
	"k8s.io/kube-aggregator/pkg/controllers/status/remote"
	"k8s.io/kube-openapi/pkg/aggregator"
	"k8s.io/kube-openapi/pkg/handler3"
	"k8s.io/kube-openapi/pkg/openapiconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const (
	// fresh is how long what a server said is taken for true, as upstream does.
	fresh = time.Minute
	// retryAfter is how long a server that gave no answer is left alone.
	retryAfter = 5 * time.Second
	// firstWait bounds how long a client waits for what was never asked for before.
	firstWait = 3 * time.Second
	// aggregatorUser is who asks the servers.
	aggregatorUser = "system:aggregator"
	// maxDocument bounds what a server may send.
	maxDocument = 64 << 20
)

// Remotes fetches the documents of the servers behind this one, when somebody asks
// for them. A server that does not answer keeps nobody waiting: what it said last
// stays, and is asked for again in the background.
type Remotes struct {
	// Services are the APIServices.
	Services registrationlisters.APIServiceLister
	// Resolver finds the address of their services.
	Resolver webhook.ServiceResolver
	// Certificate is what is shown to them; nil shows nothing.
	Certificate func() (cert, key []byte)

	mu    sync.Mutex
	known map[string]*remoteState // by the name of the APIService
}

// remoteState is what one server said about one version.
type remoteState struct {
	mu        sync.Mutex
	root      string // where its document of version 3 is; empty if it has none
	rootAsked time.Time
	spec      *remoteSpec // its part of the document of version 2; nil if it has none
	specAsked time.Time
}

// remoteSpec is a server's part of the document of version 2.
type remoteSpec struct {
	etag string
	spec *spec.Swagger
}

// available are the APIServices that can be asked, in the order of their priority.
func (r *Remotes) available() []*apiregistration.APIService {
	all, err := r.Services.List(labels.Everything())
	if err != nil {
		return nil // a lister has no errors
	}
	all = slices.DeleteFunc(all, func(s *apiregistration.APIService) bool {
		return s.Spec.Service == nil || !registrationhelpers.IsAPIServiceConditionTrue(s, apiregistration.Available)
	})
	slices.SortFunc(all, func(a, b *apiregistration.APIService) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// state returns what is known about a server, and forgets those that are gone.
func (r *Remotes) state(s *apiregistration.APIService) *remoteState {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]*remoteState{}
	}
	if r.known[s.Name] == nil {
		maps.DeleteFunc(r.known, func(name string, _ *remoteState) bool {
			_, err := r.Services.Get(name)
			return err != nil
		})
		r.known[s.Name] = &remoteState{}
	}
	return r.known[s.Name]
}

// each calls refresh for all servers at once if what is known is old, and waits for
// those of which nothing is known.
func (r *Remotes) each(ctx context.Context, asked func(*remoteState) *time.Time, refresh func(context.Context, *apiregistration.APIService, *remoteState) error) []*apiregistration.APIService {
	services := r.available()
	var first sync.WaitGroup
	for _, s := range services {
		state := r.state(s)
		state.mu.Lock()
		last := *asked(state)
		due := time.Since(last) > fresh
		if due {
			*asked(state) = time.Now()
		}
		state.mu.Unlock()
		if !due {
			continue
		}
		fetch := func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fresh/2) // others wait for it too
			defer cancel()
			if err := refresh(ctx, s, state); err != nil {
				klog.FromContext(ctx).V(2).Info("Could not fetch OpenAPI of an aggregated server", "apiService", s.Name, "err", err)
				state.mu.Lock()
				*asked(state) = time.Now().Add(retryAfter - fresh)
				state.mu.Unlock()
			}
		}
		if last.IsZero() {
			first.Go(fetch)
		} else {
			go fetch()
		}
	}
	done := make(chan struct{})
	go func() {
		first.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(firstWait):
	}
	return services
}

// roots are the places of the documents of version 3, by version.
func (r *Remotes) roots(ctx context.Context) map[string]string {
	out := map[string]string{}
	for _, s := range r.each(ctx, func(s *remoteState) *time.Time { return &s.rootAsked }, r.fetchRoot) {
		state := r.state(s)
		state.mu.Lock()
		if state.root != "" {
			out[versionPath(s)] = state.root
		}
		state.mu.Unlock()
	}
	return out
}

func versionPath(s *apiregistration.APIService) string {
	if s.Spec.Group == "" {
		return "api/" + s.Spec.Version
	}
	return "apis/" + s.Spec.Group + "/" + s.Spec.Version
}

// fetchRoot asks where the document of a version is. A server without documents of
// version 3 has it converted from version 2.
func (r *Remotes) fetchRoot(ctx context.Context, s *apiregistration.APIService, state *remoteState) error {
	data, status, err := r.get(ctx, s, v3Path)
	if err != nil {
		return err
	}
	var at string
	switch status {
	case http.StatusOK:
		var listed handler3.OpenAPIV3Discovery
		if err := json.Unmarshal(data, &listed); err != nil {
			return err
		}
		at = listed.Paths[versionPath(s)].ServerRelativeURL
	case http.StatusNotFound:
		v2, err := r.fetchSpec(ctx, s)
		if err != nil {
			return err
		}
		at = location(versionPath(s), hash(v2.etag))
	default:
		return fmt.Errorf("%s: status %d", v3Path, status)
	}
	state.mu.Lock()
	defer state.mu.Unlock()
	state.root = at
	return nil
}

// specs are the parts of the document of version 2.
func (r *Remotes) specs(ctx context.Context) []*remoteSpec {
	var out []*remoteSpec
	refresh := func(ctx context.Context, s *apiregistration.APIService, state *remoteState) error {
		fetched, err := r.fetchSpec(ctx, s)
		if err != nil {
			return err
		}
		state.mu.Lock()
		defer state.mu.Unlock()
		if state.spec == nil || state.spec.etag != fetched.etag {
			state.spec = fetched
		}
		return nil
	}
	for _, s := range r.each(ctx, func(s *remoteState) *time.Time { return &s.specAsked }, refresh) {
		state := r.state(s)
		state.mu.Lock()
		if state.spec != nil {
			out = append(out, state.spec)
		}
		state.mu.Unlock()
	}
	return out
}

func (r *Remotes) fetchSpec(ctx context.Context, s *apiregistration.APIService) (*remoteSpec, error) {
	data, status, err := r.get(ctx, s, v2Path)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("OpenAPI of %s: status %d", s.Name, status)
	}
	var all spec.Swagger
	if err := all.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("OpenAPI of %s: %w", s.Name, err)
	}
	return &remoteSpec{etag: hash(string(data)), spec: aggregator.FilterSpecByPathsWithoutSideEffects(&all, []string{"/" + versionPath(s) + "/"})}, nil
}

// serve passes a request for a document of version 3 on. It is false if no server
// has that version.
func (r *Remotes) serve(w http.ResponseWriter, incoming *http.Request, name string) bool {
	services := r.available()
	i := slices.IndexFunc(services, func(s *apiregistration.APIService) bool { return versionPath(s) == name })
	if i < 0 {
		return false
	}
	s := services[i]
	outgoing := incoming.Clone(incoming.Context())
	outgoing.Header.Del("Authorization")
	response, err := r.do(outgoing, s)
	if err != nil {
		http.Error(w, "the server that has this document does not answer", http.StatusServiceUnavailable)
		return true
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotFound {
		r.serveConverted(w, incoming, s)
		return true
	}
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
	return true
}

// serveConverted answers with a document of version 2 as one of version 3.
func (r *Remotes) serveConverted(w http.ResponseWriter, incoming *http.Request, s *apiregistration.APIService) {
	v2, err := r.fetchSpec(incoming.Context(), s)
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	data, err := json.Marshal(openapiconv.ConvertV2ToV3(v2.spec))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}

// get fetches a path of a server.
func (r *Remotes) get(ctx context.Context, s *apiregistration.APIService, path string) (data []byte, status int, err error) {
	outgoing, err := http.NewRequestWithContext(genericapirequest.WithUser(ctx, &user.DefaultInfo{Name: aggregatorUser}), http.MethodGet, path, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	outgoing.Header.Set("Accept", "application/json")
	response, err := r.do(outgoing, s)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err = io.ReadAll(io.LimitReader(response.Body, maxDocument))
	return data, response.StatusCode, err
}

// do sends a request to a server, in the name of the user of the request.
func (r *Remotes) do(outgoing *http.Request, s *apiregistration.APIService) (*http.Response, error) {
	port := int32(443)
	if s.Spec.Service.Port != nil {
		port = *s.Spec.Service.Port
	}
	at, err := r.Resolver.ResolveEndpoint(s.Spec.Service.Namespace, s.Spec.Service.Name, port)
	if err != nil {
		return nil, err
	}
	var cert, key []byte
	if r.Certificate != nil {
		cert, key = r.Certificate()
	}
	roundTripper, err := transport.New(remote.BuildTransportConfig(nil, cert, key, s))
	if err != nil {
		return nil, err
	}
	who, ok := genericapirequest.UserFrom(outgoing.Context())
	if !ok {
		return nil, errors.New("request without a user") // its headers could name any
	}
	roundTripper = transport.NewAuthProxyRoundTripper(who.GetName(), who.GetUID(), who.GetGroups(), who.GetExtra(), roundTripper)
	outgoing.URL.Scheme, outgoing.URL.Host, outgoing.Host, outgoing.RequestURI = at.Scheme, at.Host, "", ""
	return roundTripper.RoundTrip(outgoing)
}
