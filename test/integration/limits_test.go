// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// TestMaxInFlight counts requests where there is no priority and fairness: because it
// is switched off, or because nothing can say what comes first.
func TestMaxInFlight(t *testing.T) {
	t.Parallel()
	for name, flag := range map[string]string{
		"switched off":    "--enable-priority-and-fairness=false",
		"not served":      "--runtime-config=flowcontrol.apiserver.k8s.io/v1=false",
		"no such group":   "--api-groups=core,rbac.authorization.k8s.io",
		"one kind is off": "--runtime-config=flowcontrol.apiserver.k8s.io/v1/flowschemas=false",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, s := startGated(t, "--max-mutating-requests-inflight=2", "--max-requests-inflight=0", flag)
			// The server itself writes now and then.
			enter := func(name string) <-chan answer {
				t.Helper()
				var done <-chan answer
				eventually(t, func() string {
					done = create(t, s, "ann", name)
					select {
					case <-g.arrived:
						return ""
					case got := <-done:
						return fmt.Sprintf("%s: %d %s", name, got.code, got.body)
					}
				})
				return done
			}
			answers := []<-chan answer{enter("slow-a"), enter("slow-b")}
			got := do(t, creation(s, "ann", "refused"))
			if got.code != 429 || got.header.Get("Retry-After") != "1" || string(got.body) != "Too many requests, please try again later.\n" {
				t.Errorf("a third request: %d, Retry-After %q: %s", got.code, got.header.Get("Retry-After"), got.body)
			}
			if uid, ok := got.header["X-Kubernetes-Pf-Flowschema-Uid"]; ok {
				t.Errorf("the answer is of flow schema %s", uid)
			}
			if schemaOf(t, s, "ann") != "" { // which is answered: there is no limit for those
				t.Error("a read has a flow schema")
			}
			createConfigMap(t, defaultConfigMaps(t, s), "of-administrator", "1")
			if got := do(t, request{config: s.Config(), path: "/debug/api_priority_and_fairness/dump_priority_levels"}); got.code != 404 {
				t.Errorf("priority levels: %d %s", got.code, got.body)
			}
			for _, done := range answers {
				g.open <- struct{}{}
				if got := <-done; got.code != 201 {
					t.Errorf("a request within the limit: %d %s", got.code, got.body)
				}
			}
			later := enter("slow-later")
			g.open <- struct{}{}
			if got := <-later; got.code != 201 {
				t.Errorf("later: %d %s", got.code, got.body)
			}
		})
	}
}

// TestNoLimit must be meant: with priority and fairness there is always one.
func TestNoLimit(t *testing.T) {
	t.Parallel()
	options := server.NewOptions()
	options.DataDir, options.Run.MaxRequestsInFlight, options.Run.MaxMutatingRequestsInFlight = t.TempDir(), 0, 0
	completed, err := options.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "--max-requests-inflight=0 and --max-mutating-requests-inflight=0 must add up to something positive with --enable-priority-and-fairness"
	if got := text(completed.Validate()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	completed.FlowControl.PriorityAndFairness = false
	if err := completed.Validate(); err != nil {
		t.Error(err)
	}
}

// TestRequestDeadline answers for a handler that takes too long.
func TestRequestDeadline(t *testing.T) {
	t.Parallel()
	g, s := startGated(t)
	const path = "/api/v1/namespaces/default/configmaps"
	// The watch cache waits three seconds for a revision that is still to come.
	got := do(t, request{config: s.Config(), path: path + "?resourceVersion=1000000&timeout=1s"})
	if got.code != 504 || got.object(t)["reason"] != "Timeout" {
		t.Errorf("%d %s", got.code, got.body)
	}
	// The handler of a write that is late answers too. If it does so at the same moment, the stream is reset.
	r := creation(s, "ann", "slow")
	r.path += "?timeout=1s"
	if got, err := try(t.Context(), r); err == nil && (got.code != 504 || got.object(t)["reason"] != "Timeout") {
		t.Errorf("%d %s", got.code, got.body)
	}
	g.next(t)
	g.open <- struct{}{}
	if got := do(t, request{config: s.Config(), path: path + "/slow"}); got.code != 404 {
		t.Errorf("what was not in time: %d %s", got.code, got.body)
	}
	got = do(t, request{config: s.Config(), path: path + "?timeout=soon"})
	if want := `invalid timeout specified in the request URL - time: invalid duration "soon"`; got.code != 400 || got.status(t).Message != want {
		t.Errorf("a timeout that is none: %d %s", got.code, got.body)
	}
	if got := <-create(t, s, "ann", "later"); got.code != 201 {
		t.Errorf("later: %d %s", got.code, got.body)
	}
}

// TestPanic answers a request whose handler panics, and goes on.
func TestPanic(t *testing.T) {
	t.Parallel()
	_, s := startGated(t)
	for protocol, next := range map[string][]string{"HTTP/2.0": nil, "HTTP/1.1": {"http/1.1"}} {
		r := creation(s, "ann", "panic")
		r.config.NextProtos = next
		for range 3 {
			got := do(t, r)
			if got.code != 500 || string(got.body) != "This request caused apiserver to panic. Look in the logs for details.\n" {
				t.Errorf("%s: %d %s", protocol, got.code, got.body)
			}
		}
		if got := <-create(t, s, "ann", "after"+strings.ReplaceAll(strings.ToLower(protocol), "/", "-")); got.code != 201 {
			t.Errorf("%s: afterwards: %d %s", protocol, got.code, got.body)
		}
	}
}

// TestGoaway has the server close connections now and then. Requests and watches do not
// notice.
func TestGoaway(t *testing.T) {
	t.Parallel()
	s := stoatest.Start(t, stoatest.WithFlags("--goaway-chance=0.02", quiet))
	var dialled atomic.Int32
	config := s.Config()
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	configMaps := client.CoreV1().ConfigMaps("default")
	w, err := configMaps.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for range 10_000 { // one in fifty is enough; only a broken server takes all of them
		if dialled.Load() > 2 {
			break
		}
		if _, err := configMaps.List(t.Context(), metav1.ListOptions{Limit: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if dialled.Load() < 3 {
		t.Errorf("%d connections, want some", dialled.Load())
	}
	createConfigMap(t, configMaps, "a", "1")
	wantEvents(t, w, "ADDED a=1")
	if got := do(t, request{config: s.Config(), path: "/version"}); got.header.Get("Connection") == "close" && got.code != http.StatusOK {
		t.Errorf("%d %s", got.code, got.body)
	}
}
