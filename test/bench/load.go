// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// payloadSize is the size of the data of each object.
const payloadSize = 1024

// drive calls operation from several goroutines until duration is over, with a
// running number, and returns the latencies.
func drive(ctx context.Context, workers int, duration time.Duration, operation func(ctx context.Context, worker, i int) error) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var count atomic.Int64
	var mu sync.Mutex
	var all result
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for worker := range workers {
		group.Go(func() error {
			var mine []time.Duration
			for time.Since(began) < duration {
				at := time.Now()
				err := operation(ctx, worker, int(count.Add(1)))
				if errors.Is(err, errDone) {
					break
				}
				if err != nil {
					return err
				}
				mine = append(mine, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, mine...)
			return nil
		})
	}
	err := group.Wait()
	all.took = time.Since(began)
	return all, err
}

// api is a server and clients for it, each with a connection of its own.
type api struct {
	url     string
	clients []*http.Client
}

func newAPI(kubeconfig string, clients int) (*api, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	a := &api{url: config.Host}
	for i := range clients {
		own := rest.CopyConfig(config)
		own.UserAgent = fmt.Sprintf("stoa-bench/%d", i)
		client, err := rest.HTTPClientFor(own)
		if err != nil {
			return nil, err
		}
		a.clients = append(a.clients, client)
	}
	return a, nil
}

func (a *api) call(ctx context.Context, worker int, method, path, accept string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", accept)
	response, err := a.clients[worker%len(a.clients)].Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

const (
	asJSON     = "application/json"
	asProtobuf = "application/vnd.kubernetes.protobuf"
	configMaps = "/api/v1/namespaces/default/configmaps"
	tenants    = "/apis/tenancy.stoa.dev/v1/tenants"
)

func configMap(name string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"payload":%q}}`,
		name, strings.Repeat("x", payloadSize))
}

func tenant(name string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":%q},"spec":{"displayName":%q,
		"owners":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"alice"}],"namespaces":{"limit":10},
		"quota":{"hard":{"requests.cpu":"100","requests.memory":"10Gi"}}}}`, name, strings.Repeat("x", 250))
}

// measureLoad runs every load on one server, one after the other.
func measureLoad(ctx context.Context, s settings, r *report) error {
	p, err := startProcess(ctx, s, "load")
	if err != nil {
		return err
	}
	defer p.stop()
	a, err := newAPI(p.kubeconfig, s.clients)
	if err != nil {
		return err
	}
	steps := []struct {
		name, unit, yardstick string
		operation             func(ctx context.Context, worker, i int) error
	}{
		{"create ConfigMap", "1/s", yardPut, func(ctx context.Context, w, i int) error {
			return a.call(ctx, w, http.MethodPost, configMaps, asJSON, configMap(fmt.Sprintf("c%d", i)))
		}},
		{"get ConfigMap", "1/s", yardEcho, func(ctx context.Context, w, i int) error {
			return a.call(ctx, w, http.MethodGet, configMaps+"/c1", asJSON, nil)
		}},
		{"patch ConfigMap", "1/s", yardPut, func(ctx context.Context, w, i int) error {
			return a.merge(ctx, w, fmt.Sprintf("%s/c%d", configMaps, 1+w), i)
		}},
		{"create Tenant", "1/s", yardPut, func(ctx context.Context, w, i int) error {
			return a.call(ctx, w, http.MethodPost, tenants, asJSON, tenant(fmt.Sprintf("t%d", i)))
		}},
		{"delete Tenant", "1/s", yardPut, nil}, // bounded by what was created; see below
	}
	created := 0
	for _, step := range steps {
		if !s.only.MatchString(step.name) {
			continue
		}
		operation := step.operation
		if operation == nil {
			operation = func(ctx context.Context, w, i int) error {
				if i > created {
					return errDone
				}
				return a.call(ctx, w, http.MethodDelete, fmt.Sprintf("%s/t%d", tenants, i), asJSON, nil)
			}
		}
		profiled := a.profile(ctx, s, step.name)
		l, err := drive(ctx, s.clients, s.duration, operation)
		if err := errors.Join(err, <-profiled); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		created = len(l.latencies)
		r.load(step.name, step.unit, step.yardstick, l)
	}
	if s.only.MatchString("list") {
		if err := measureList(ctx, s, a, r); err != nil {
			return err
		}
	}
	if s.only.MatchString("watch") {
		if err := measureWatch(ctx, s, a, r); err != nil {
			return err
		}
	}
	if err := measureDeletion(ctx, s, a, r); err != nil {
		return err
	}
	r.once("resident memory after load", "MB", p.resident())
	return nil
}

var errDone = errors.New("nothing left to do")

func (a *api) merge(ctx context.Context, worker int, path string, i int) error {
	body := fmt.Appendf(nil, `{"data":{"count":"%d"}}`, i)
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, a.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := a.clients[worker%len(a.clients)].Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("patch %s: %s", path, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// measureList lists a fixed number of objects.
func measureList(ctx context.Context, s settings, a *api, r *report) error {
	const namespace = "/api/v1/namespaces/kube-public/configmaps"
	var next atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	for w := range s.clients {
		group.Go(func() error {
			for i := next.Add(1); int(i) <= s.objects; i = next.Add(1) {
				if err := a.call(groupCtx, w, http.MethodPost, namespace, asJSON, configMap(fmt.Sprintf("l%d", i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for name, accept := range map[string]string{"JSON": asJSON, "protobuf": asProtobuf} {
		profiled := a.profile(ctx, s, "list "+name)
		l, err := drive(ctx, 1, s.duration, func(ctx context.Context, w, _ int) error {
			return a.call(ctx, w, http.MethodGet, namespace, accept, nil)
		})
		if err := errors.Join(err, <-profiled); err != nil {
			return err
		}
		r.load(fmt.Sprintf("list of %d, %s", s.objects, name), "1/s", "", l)
	}
	return nil
}

// measureWatch counts the events that all watchers together receive.
func measureWatch(ctx context.Context, s settings, a *api, r *report) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var events atomic.Int64
	ready := make(chan error, s.watchers)
	for w := range s.watchers {
		go func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"/api/v1/namespaces/kube-system/configmaps?watch=1&resourceVersion=0", http.NoBody)
			if err != nil {
				ready <- err
				return
			}
			response, err := a.clients[w%len(a.clients)].Do(request)
			ready <- err
			if err != nil {
				return
			}
			defer response.Body.Close()
			lines := bufio.NewScanner(response.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				events.Add(1)
			}
		}()
	}
	for range s.watchers {
		if err := <-ready; err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	profiled := a.profile(ctx, s, "watch")
	l, err := drive(ctx, 8, s.duration, func(ctx context.Context, w, i int) error {
		return a.call(ctx, w, http.MethodPost, "/api/v1/namespaces/kube-system/configmaps", asJSON, configMap(fmt.Sprintf("w%d", i)))
	})
	if err := errors.Join(err, <-profiled); err != nil {
		return err
	}
	l.units = int(events.Load())
	r.load(fmt.Sprintf("watch events to %d watchers", s.watchers), "1/s", "", l)
	return nil
}

// profile fetches a CPU profile of the server while a load runs, if profiles are
// wanted. The channel yields once, when the profile is written.
func (a *api) profile(ctx context.Context, s settings, name string) <-chan error {
	done := make(chan error, 1)
	if s.profiles == "" {
		done <- nil
		return done
	}
	go func() {
		url := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", a.url, max(1, int(s.duration.Seconds())))
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			done <- err
			return
		}
		response, err := a.clients[0].Do(request)
		if err != nil {
			done <- err
			return
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err == nil {
			file := strings.ReplaceAll(strings.ToLower(name), " ", "-") + ".pprof"
			err = os.WriteFile(filepath.Join(s.profiles, file), data, 0o600)
		}
		done <- err
	}()
	return done
}
