// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/emicklei/go-restful/v3"
	crdhelpers "k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/util/responsewriter"
	"k8s.io/kube-openapi/pkg/aggregator"
	staticbuilder "k8s.io/kube-openapi/pkg/builder"
	"k8s.io/kube-openapi/pkg/common/restfuladapter"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// sources are the documents of version 3 that this process builds.
func (p *Publisher) sources() map[string]source {
	out := maps.Clone(p.static())
	for name, crds := range p.customVersions() {
		if _, ok := out[name]; !ok {
			out[name] = source{etag: hash(crds.state()), build: crds.v3}
		}
	}
	return out
}

// staticSources are those of the routes of the chain, which do not change.
func (p *Publisher) staticSources() map[string]source {
	out := map[string]source{}
	state := programState()
	for _, container := range p.Containers {
		for _, service := range container.RegisteredWebServices() {
			name := strings.TrimPrefix(service.RootPath(), "/")
			if _, ok := out[name]; !ok { // the first server of the chain answers
				out[name] = source{etag: hash(state, routeState(service)), build: func(ctx context.Context) ([]byte, error) { return p.staticV3(ctx, name, service) }}
			}
		}
	}
	return out
}

// programState stands for the types in the program, of which it cannot be told
// cheaply whether they have changed: the file that they are in.
func programState() string {
	var state string
	for _, gate := range slices.Sorted(maps.Keys(utilfeature.DefaultMutableFeatureGate.GetAll())) {
		state = fmt.Sprint(state, gate, utilfeature.DefaultFeatureGate.Enabled(gate))
	}
	if file, err := os.Executable(); err == nil {
		if info, err := os.Stat(file); err == nil {
			state = fmt.Sprint(state, info.Size(), info.ModTime().UnixNano())
		}
	}
	return state
}

func routeState(service *restful.WebService) string {
	var out strings.Builder
	for _, r := range service.Routes() {
		fmt.Fprintln(&out, r.Method, r.Path, r.Operation)
	}
	return out.String()
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// staticV3 has upstream build the document of one web service and takes it out of
// the handler that serves it.
func (p *Publisher) staticV3(ctx context.Context, name string, service *restful.WebService) ([]byte, error) {
	container, m := restful.NewContainer(), mux.NewPathRecorderMux("openapi")
	container.Add(service)
	routes.OpenAPI{V3Config: p.V3}.InstallV3(container, m)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v3Path+"/"+name, http.NoBody)
	if err != nil {
		return nil, err
	}
	w := responsewriter.NewInMemoryResponseWriter()
	m.ServeHTTP(w, request)
	if w.RespCode() != http.StatusOK {
		return nil, fmt.Errorf("document of %s: %s", name, w.String())
	}
	return w.Data(), nil
}

// customVersion are the established definitions that serve a version.
type customVersion struct {
	version string
	crds    []*apiextensions.CustomResourceDefinition
}

// customVersions are the versions of definitions, by their path.
func (p *Publisher) customVersions() map[string]customVersion {
	out := map[string]customVersion{}
	if p.Definitions == nil {
		return out
	}
	crds, err := p.Definitions.List(labels.Everything())
	if err != nil {
		return out // a lister has no errors
	}
	slices.SortFunc(crds, func(a, b *apiextensions.CustomResourceDefinition) int { return strings.Compare(a.Name, b.Name) })
	for _, crd := range crds {
		if !crdhelpers.IsCRDConditionTrue(crd, apiextensions.Established) {
			continue
		}
		for _, v := range crd.Spec.Versions {
			if v.Served {
				name := "apis/" + crd.Spec.Group + "/" + v.Name
				out[name] = customVersion{version: v.Name, crds: append(out[name].crds, crd)}
			}
		}
	}
	return out
}

func (c customVersion) state() string {
	var out strings.Builder
	for _, crd := range c.crds {
		fmt.Fprintln(&out, crd.UID, crd.Generation)
	}
	return out.String()
}

func (c customVersion) v3(context.Context) ([]byte, error) {
	var all []*spec3.OpenAPI
	for _, crd := range c.crds {
		one, err := builder.BuildOpenAPIV3(crd, c.version, builder.Options{IncludeSelectableFields: true})
		if err != nil {
			return nil, fmt.Errorf("document of %s: %w", crd.Name, err)
		}
		all = append(all, one)
	}
	merged, err := builder.MergeSpecsV3(all...)
	if err != nil {
		return nil, err
	}
	return json.Marshal(merged)
}

// v2 is the one document of version 2.
func (p *Publisher) v2(ctx context.Context) source {
	static, custom := p.static(), p.customVersions()
	var state []string
	for _, name := range slices.Sorted(maps.Keys(static)) {
		state = append(state, static[name].etag)
	}
	names := slices.Sorted(maps.Keys(custom))
	for _, name := range names {
		state = append(state, name, custom[name].state())
	}
	var remote []*remoteSpec
	if p.Remotes != nil {
		remote = p.Remotes.specs(ctx)
	}
	for _, r := range remote {
		state = append(state, r.etag)
	}
	return source{etag: hash(state...), build: func(context.Context) ([]byte, error) {
		var all []*spec.Swagger
		for _, c := range p.Containers {
			one, err := staticbuilder.BuildOpenAPISpecFromRoutes(restfuladapter.AdaptWebServices(c.RegisteredWebServices()), p.V2)
			if err != nil {
				return nil, err
			}
			one.Definitions = handler.PruneDefaults(one.Definitions)
			all = append(all, one)
		}
		for _, name := range names {
			own, err := custom[name].v2()
			if err != nil {
				return nil, err
			}
			all = append(all, own...)
		}
		for _, r := range remote {
			all = append(all, r.spec)
		}
		return mergeV2(all)
	}}
}

func (c customVersion) v2() ([]*spec.Swagger, error) {
	var all []*spec.Swagger
	for _, crd := range c.crds {
		one, err := builder.BuildOpenAPIV2(crd, c.version, builder.Options{V2: true, IncludeSelectableFields: true})
		if err != nil {
			return nil, fmt.Errorf("document of %s: %w", crd.Name, err)
		}
		one.Definitions = handler.PruneDefaults(one.Definitions)
		all = append(all, one)
	}
	return all, nil
}

// mergeV2 merges documents into the first one, whose paths and title win.
func mergeV2(all []*spec.Swagger) ([]byte, error) {
	merged := all[0]
	for _, other := range all[1:] {
		if err := aggregator.MergeSpecsIgnorePathConflictRenamingDefinitionsAndParameters(merged, other); err != nil {
			return nil, fmt.Errorf("merge OpenAPI documents: %w", err)
		}
	}
	return merged.MarshalJSON()
}
