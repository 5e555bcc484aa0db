// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"context"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

// views are what the server says about itself, by the file that holds what
// kube-apiserver says.
func views() map[string]func(context.Context, *client) (map[string]any, error) {
	return map[string]func(context.Context, *client) (map[string]any, error){
		"_discovery": discovery, "_bootstrap": bootstrap, "_openapi": openAPI,
	}
}

// discovery returns each resource and subresource with its kind, scope, singular
// name, verbs, short names and categories.
func discovery(ctx context.Context, c *client) (map[string]any, error) {
	const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	out := map[string]any{}
	for _, root := range []string{"/api", "/apis"} {
		got, err := c.do(ctx, http.MethodGet, root, nil, accept)
		if err != nil {
			return nil, err
		}
		for group := range items(got.body, "items") {
			name := group.text("metadata", "name")
			if name == "" {
				name = "core"
			}
			for version := range items(group, "versions") {
				for r := range items(version, "resources") {
					at := name + "/" + version.text("version") + "/" + r.text("resource")
					out[at] = []any{r.text("responseKind", "kind"), r.get("scope"), r.text("singularResource"), sorted(r.get("verbs")), sorted(r.get("shortNames")), sorted(r.get("categories"))}
					for sub := range items(r, "subresources") {
						out[at+"/"+sub.text("subresource")] = []any{sub.text("responseKind", "kind"), sorted(sub.get("verbs"))}
					}
				}
			}
		}
	}
	return out, nil
}

func items(o *object, key string) func(yield func(*object) bool) {
	return func(yield func(*object) bool) {
		list, _ := o.get(key).([]any)
		for _, item := range list {
			if inner, ok := item.(*object); ok && !yield(inner) {
				return
			}
		}
	}
}

func sorted(value any) []any {
	list, _ := value.([]any)
	out := append([]any{}, list...)
	slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return out
}

// bootstrap returns the objects that a new cluster has.
func bootstrap(ctx context.Context, c *client) (map[string]any, error) {
	out := map[string]any{}
	for _, at := range []string{
		"/api/v1/namespaces", "/api/v1/services",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
		"/apis/rbac.authorization.k8s.io/v1/roles", "/apis/rbac.authorization.k8s.io/v1/rolebindings",
		"/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
		"/apis/scheduling.k8s.io/v1/priorityclasses", "/apis/networking.k8s.io/v1/servicecidrs",
	} {
		got, err := c.get(ctx, at)
		if err != nil {
			return nil, err
		}
		for o := range items(got, "items") {
			normalize(o, nil, "")
			o.remove("status")
			if metadata, ok := o.get("metadata").(*object); ok {
				metadata.remove("generation")
			}
			out[path.Join(path.Base(at), o.text("metadata", "namespace"), o.text("metadata", "name"))] = o
		}
	}
	return out, nil
}

var stablePath = regexp.MustCompile(`^(api/v\d|apis/[^/]+/v\d+$)`)

// openAPI returns the hash of each schema, and each path with its action.
func openAPI(ctx context.Context, c *client) (map[string]any, error) {
	root, err := c.get(ctx, "/openapi/v3")
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	paths, _ := root.get("paths").(*object)
	for _, name := range paths.keys {
		if !stablePath.MatchString(name) {
			continue
		}
		entry, _ := paths.get(name).(*object)
		document, err := c.get(ctx, entry.text("serverRelativeURL"))
		if err != nil {
			return nil, err
		}
		schemas, _ := document.in("components", "schemas").(*object)
		for name, schema := range schemas.entries() {
			out["schema "+name] = hash(withoutDescriptions(schema))
		}
		at, _ := document.get("paths").(*object)
		for path, item := range at.entries() {
			methods, _ := item.(*object)
			for method, value := range methods.entries() {
				operation, _ := value.(*object)
				if operation.get("responses") != nil {
					out["path "+strings.ToUpper(method)+" "+path] = operation.text("x-kubernetes-action")
				}
			}
		}
	}
	return out, nil
}

func (o *object) entries() map[string]any {
	if o == nil {
		return nil
	}
	return o.values
}

func withoutDescriptions(value any) any {
	switch v := value.(type) {
	case *object:
		out := newObject()
		for _, key := range v.keys {
			if _, isText := v.values[key].(string); key != "description" || !isText {
				out.set(key, withoutDescriptions(v.values[key]))
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutDescriptions(v[i])
		}
		return out
	}
	return value
}
