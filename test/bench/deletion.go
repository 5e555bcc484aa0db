// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// perKind is how many objects of each of the twenty kinds a namespace has.
	perKind = 250
	// branches is how many dependents an owner has that has any.
	branches = 70
	// goneInterval is how often a load looks whether everything is gone.
	goneInterval = 10 * time.Millisecond

	doomed   = "/api/v1/namespaces/doomed"
	workload = `"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`
)

// definition is that of a custom resource; %s is its plural, twice.
const definition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%[1]s.bench.example.com"},"spec":{
	"group":"bench.example.com","scope":"Namespaced","names":{"plural":"%[1]s","singular":"%[1]s","kind":"%[1]s"},
	"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

// kinds are paths below a namespace, and what an object has beside its name.
var kinds = map[string]string{ //nolint:gochecknoglobals // constant
	"/api/v1/%s/configmaps":                         `"data":{"a":"b"}`,
	"/api/v1/%s/secrets":                            `"data":{}`,
	"/api/v1/%s/serviceaccounts":                    `"secrets":[]`,
	"/api/v1/%s/endpoints":                          `"subsets":[]`,
	"/api/v1/%s/limitranges":                        `"spec":{"limits":[]}`,
	"/api/v1/%s/pods":                               `"spec":{"containers":[{"name":"c","image":"i"}]}`,
	"/api/v1/%s/podtemplates":                       `"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}`,
	"/api/v1/%s/replicationcontrollers":             `"spec":{"selector":{"a":"b"},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}`,
	"/apis/apps/v1/%s/deployments":                  `"spec":{` + workload + `}`,
	"/apis/apps/v1/%s/replicasets":                  `"spec":{` + workload + `}`,
	"/apis/apps/v1/%s/daemonsets":                   `"spec":{` + workload + `}`,
	"/apis/apps/v1/%s/controllerrevisions":          `"revision":1,"data":{"a":"b"}`,
	"/apis/batch/v1/%s/jobs":                        `"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}`,
	"/apis/coordination.k8s.io/v1/%s/leases":        `"spec":{}`,
	"/apis/networking.k8s.io/v1/%s/networkpolicies": `"spec":{"podSelector":{}}`,
	"/apis/policy/v1/%s/poddisruptionbudgets":       `"spec":{"minAvailable":1}`,
	"/apis/rbac.authorization.k8s.io/v1/%s/roles":   `"rules":[]`,
	"/apis/discovery.k8s.io/v1/%s/endpointslices":   `"addressType":"IPv4","endpoints":[]`,
	"/apis/bench.example.com/v1/%s/gears":           `"kind":"gears","apiVersion":"bench.example.com/v1","spec":{"a":"b"}`,
	"/apis/bench.example.com/v1/%s/levers":          `"kind":"levers","apiVersion":"bench.example.com/v1","spec":{"a":"b"}`,
}

// measureDeletion times the controllers that delete.
func measureDeletion(ctx context.Context, s settings, a *api, r *report) error {
	if s.only.MatchString("namespace") {
		if err := measureNamespace(ctx, s, a, r); err != nil {
			return fmt.Errorf("namespace: %w", err)
		}
	}
	if s.only.MatchString("gc") {
		if err := measureGarbage(ctx, s, a, r); err != nil {
			return fmt.Errorf("gc: %w", err)
		}
	}
	return nil
}

// measureNamespace deletes a namespace with objects of twenty kinds.
func measureNamespace(ctx context.Context, s settings, a *api, r *report) error {
	for _, plural := range []string{"gears", "levers"} {
		if err := a.call(ctx, 0, http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", asJSON, fmt.Appendf(nil, definition, plural)); err != nil {
			return err
		}
		served := func() (bool, error) {
			return a.call(ctx, 0, http.MethodGet, "/apis/bench.example.com/v1/"+plural, asJSON, nil) == nil, nil
		}
		if err := until(ctx, served); err != nil {
			return err
		}
	}
	if err := a.call(ctx, 0, http.MethodPost, "/api/v1/namespaces", asJSON, []byte(`{"metadata":{"name":"doomed"}}`)); err != nil {
		return err
	}
	var paths []string
	for path := range kinds {
		paths = append(paths, path)
	}
	var next atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	for w := range s.clients {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < perKind*len(paths); i = int(next.Add(1)) - 1 {
				path := paths[i%len(paths)]
				object := fmt.Appendf(nil, `{"metadata":{"name":"o%d"},%s}`, i, kinds[path])
				if err := a.call(groupCtx, w, http.MethodPost, fmt.Sprintf(path, "namespaces/doomed"), asJSON, object); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	profiled := a.profile(ctx, s, "delete namespace")
	began := time.Now()
	if err := a.call(ctx, 0, http.MethodDelete, doomed, asJSON, nil); err != nil {
		return err
	}
	if err := until(ctx, func() (bool, error) { return a.missing(ctx, doomed) }); err != nil {
		return err
	}
	r.load(fmt.Sprintf("delete namespace of %d objects", perKind*len(paths)), "1/s", yardPut, result{took: time.Since(began), units: perKind * len(paths)})
	return <-profiled
}

// measureGarbage deletes the root of a tree of owners, once from the root and once from
// the leaves.
func measureGarbage(ctx context.Context, s settings, a *api, r *report) error {
	const tree = "/api/v1/namespaces/kube-public/podtemplates"
	for _, policy := range []string{"Background", "Foreground"} {
		if err := a.plant(ctx, s); err != nil {
			return err
		}
		profiled := a.profile(ctx, s, "gc "+policy)
		began := time.Now()
		root := fmt.Sprintf("%s/root?propagationPolicy=%s", tree, policy)
		if err := a.call(ctx, 0, http.MethodDelete, root, asJSON, nil); err != nil {
			return err
		}
		if err := until(ctx, func() (bool, error) { return a.empty(ctx, tree) }); err != nil {
			return err
		}
		const objects = 1 + branches + branches*branches
		r.load(fmt.Sprintf("gc of %d objects, %s", objects, strings.ToLower(policy)), "1/s", yardPut, result{took: time.Since(began), units: objects})
		if err := <-profiled; err != nil {
			return err
		}
	}
	return nil
}

// plant makes a tree of owners, three levels high.
func (a *api) plant(ctx context.Context, s settings) error {
	root, err := a.owned(ctx, 0, "root", "", "")
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.clients)
	for i := range branches {
		group.Go(func() error {
			name := fmt.Sprintf("b%d", i)
			uid, err := a.owned(ctx, i, name, "root", root)
			for j := 0; err == nil && j < branches; j++ {
				_, err = a.owned(ctx, i, fmt.Sprintf("%s-%d", name, j), name, uid)
			}
			return err
		})
	}
	return group.Wait()
}

// owned makes an object with an owner, unless that is empty, and returns its UID.
func (a *api) owned(ctx context.Context, worker int, name, owner, ownerUID string) (string, error) {
	refs := "[]"
	if owner != "" {
		refs = fmt.Sprintf(`[{"apiVersion":"v1","kind":"PodTemplate","name":%q,"uid":%q,"blockOwnerDeletion":true}]`, owner, ownerUID)
	}
	body := fmt.Sprintf(`{"metadata":{"name":%q,"ownerReferences":%s},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}`, name, refs)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/api/v1/namespaces/kube-public/podtemplates", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.clients[worker%len(a.clients)].Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var made struct{ Metadata struct{ UID string } }
	if err := json.Unmarshal(text, &made); err != nil || response.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("create template %s: %s: %s", name, response.Status, text)
	}
	return made.Metadata.UID, nil
}

// missing says whether there is nothing at a path.
func (a *api) missing(ctx context.Context, path string) (bool, error) {
	code, _, err := a.get(ctx, path)
	return code == http.StatusNotFound, err
}

// empty says whether a list has no items.
func (a *api) empty(ctx context.Context, path string) (bool, error) {
	code, text, err := a.get(ctx, path+"?limit=1")
	return code == http.StatusOK && bytes.Contains(text, []byte(`"items":[]`)), err
}

func (a *api) get(ctx context.Context, path string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	response, err := a.clients[0].Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, err
}

// until asks until something is so.
func until(ctx context.Context, is func() (bool, error)) error {
	for ctx.Err() == nil {
		if ok, err := is(); ok || err != nil {
			return err
		}
		pause(ctx, goneInterval)
	}
	return ctx.Err()
}
