// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emicklei/go-restful/v3"
	crdlisters "k8s.io/apiextensions-apiserver/pkg/client/listers/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/handlers/negotiation"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/klog/v2"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/handler3"
)

const (
	v2Path = "/openapi/v2"
	v3Path = "/openapi/v3"
	// immutable is how long clients may keep a document whose hash they name.
	immutable = 365 * 24 * time.Hour
)

// Publisher serves the documents of everything that it is given. Its fields must
// not change any more when it is installed.
type Publisher struct {
	// V2 and V3 say how documents are built.
	V2 *common.Config
	V3 *common.OpenAPIV3Config
	// Containers hold the routes of the servers of the chain, first first.
	Containers []*restful.Container
	// Definitions are the CustomResourceDefinitions; nil if there are none.
	Definitions crdlisters.CustomResourceDefinitionLister
	// Remotes are the servers behind the chain; nil if there are none.
	Remotes *Remotes

	static func() map[string]source

	mu    sync.Mutex // guards kept, and has one document built at a time
	kept  map[string]document
	began time.Time
}

// source is a document that may not be built yet.
type source struct {
	// etag changes with everything that the document is built from.
	etag string
	// build returns it as JSON.
	build func(context.Context) ([]byte, error)
}

// document is a built document in one media type, compressed.
type document struct {
	etag string
	data []byte
}

// Install serves the documents below /openapi.
func (p *Publisher) Install(m *mux.PathRecorderMux) {
	p.static = sync.OnceValue(p.staticSources)
	p.kept, p.began = map[string]document{}, time.Now()
	m.HandleFunc(v2Path, p.serveV2)
	m.HandleFunc(v3Path, p.serveRoot)
	m.HandlePrefix(v3Path+"/", http.HandlerFunc(p.serveV3))
}

// mediaTypes are JSON and the protobuf of one OpenAPI version, under both its names.
func mediaTypes(version string) []runtime.SerializerInfo {
	info := func(subtype string) runtime.SerializerInfo {
		return runtime.SerializerInfo{MediaType: "application/" + subtype, MediaTypeType: "application", MediaTypeSubType: subtype}
	}
	return []runtime.SerializerInfo{
		info("json"), info("com.github.proto-openapi.spec." + version + ".v1.0+protobuf"), info("com.github.proto-openapi.spec." + version + "@v1.0+protobuf"),
	}
}

// serveV2 answers with the one document of version 2.
func (p *Publisher) serveV2(w http.ResponseWriter, r *http.Request) {
	p.serve(w, r, v2Path, p.v2(r.Context()), mediaTypes("v2"), handler.ToProtoBinary)
}

// serveRoot lists the documents of version 3.
func (p *Publisher) serveRoot(w http.ResponseWriter, r *http.Request) {
	sources := p.sources()
	out := handler3.OpenAPIV3Discovery{Paths: map[string]handler3.OpenAPIV3DiscoveryGroupVersion{}}
	for name, s := range sources {
		out.Paths[name] = handler3.OpenAPIV3DiscoveryGroupVersion{ServerRelativeURL: location(name, s.etag)}
	}
	if p.Remotes != nil {
		for name, at := range p.Remotes.roots(r.Context()) {
			if _, ok := sources[name]; !ok {
				out.Paths[name] = handler3.OpenAPIV3DiscoveryGroupVersion{ServerRelativeURL: at}
			}
		}
	}
	data, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Etag", strconv.Quote(hash(string(data))))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// serveV3 answers with the document of one version of a group.
func (p *Publisher) serveV3(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, v3Path+"/")
	s, ok := p.sources()[name]
	if !ok {
		p.forget(name)
		if p.Remotes == nil || !p.Remotes.serve(w, r, name) {
			w.WriteHeader(http.StatusNotFound)
		}
		return
	}
	if asked := r.URL.Query().Get("hash"); asked != "" {
		if asked != s.etag {
			http.Redirect(w, r, location(name, s.etag), http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Cache-Control", "public, immutable")
		w.Header().Set("Expires", time.Now().Add(immutable).UTC().Format(http.TimeFormat))
	}
	p.serve(w, r, name, s, mediaTypes("v3"), handler3.ToV3ProtoBinary)
}

// location is the path of a document in one state of it.
func location(name, etag string) string {
	u := url.URL{Path: path.Join(v3Path, name), RawQuery: url.Values{"hash": {etag}}.Encode()}
	return u.String()
}

// serve answers with a document in the media type that the client prefers.
func (p *Publisher) serve(w http.ResponseWriter, r *http.Request, name string, s source, types []runtime.SerializerInfo, toProto func([]byte) ([]byte, error)) {
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Accept-Encoding")
	chosen, ok := negotiation.NegotiateMediaTypeOptions(r.Header.Get("Accept"), types, negotiation.DefaultEndpointRestrictions)
	if !ok {
		w.WriteHeader(http.StatusNotAcceptable)
		return
	}
	kind := chosen.Accepted.MediaTypeSubType
	convert, sent := toProto, types[1].MediaType // the other name of protobuf is asked for, never answered
	if kind == "json" {
		convert, sent = nil, types[0].MediaType
	}
	compressed, err := p.document(r.Context(), name+" "+sent, s, convert)
	if err != nil {
		klog.FromContext(r.Context()).Error(err, "Could not build OpenAPI document", "document", name)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", sent)
	w.Header().Set("Etag", strconv.Quote(s.etag))
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", p.began, bytes.NewReader(compressed))
		return
	}
	plain, err := expand(compressed)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, "", p.began, bytes.NewReader(plain))
}

// document returns a document in one media type, and builds it if the one that is
// kept is of another state.
func (p *Publisher) document(ctx context.Context, key string, s source, convert func([]byte) ([]byte, error)) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kept, ok := p.kept[key]; ok && kept.etag == s.etag {
		return kept.data, nil
	}
	data, err := s.build(ctx)
	if err != nil {
		return nil, err
	}
	if convert != nil {
		if data, err = convert(data); err != nil {
			return nil, err
		}
	}
	data, err = compress(data)
	if err != nil {
		return nil, err
	}
	p.kept[key] = document{etag: s.etag, data: data}
	return data, nil
}

// forget drops the documents of a version that is gone.
func (p *Publisher) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range mediaTypes("v3") {
		delete(p.kept, name+" "+t.MediaType)
	}
}

func compress(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(out.Bytes()), nil
}

func expand(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
