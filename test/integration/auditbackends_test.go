// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/stoa-project/stoa/stoatest"
)

// configMapPolicy records requests for config maps, each by one event.
const configMapPolicy = `
omitStages: [RequestReceived]
rules:
- {level: None, users: [system:apiserver]}
- {level: RequestResponse, resources: [{resources: [configmaps]}]}
`

// sink is a webhook that takes audit events.
type sink struct {
	*httptest.Server

	mu      sync.Mutex
	down    bool
	refused int
	names   map[string]int // of the objects of events
	batches []int
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{names: map[string]int{}}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP takes a list of events.
func (s *sink) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var list auditv1.EventList
	err := json.NewDecoder(request.Body).Decode(&list)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		s.refused++
	}
	if err != nil || list.Kind != "EventList" || list.APIVersion != "audit.k8s.io/v1" || s.down {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	s.batches = append(s.batches, len(list.Items))
	for i := range list.Items {
		s.names[list.Items[i].ObjectRef.Name]++
	}
}

func (s *sink) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// start starts a server that sends its events to the sink.
func (s *sink) start(t *testing.T, flags ...string) *stoatest.Server {
	t.Helper()
	r := &reviewer{Server: s.Server}
	policy := secretFile(t, "policy.yaml", policyHeader+configMapPolicy)
	return stoatest.Start(t, stoatest.WithFlags(append(flags, "--audit-policy-file="+policy, "--audit-webhook-config-file="+r.kubeconfig(t))...))
}

// getConfigMap asks for a config map that need not be there.
func getConfigMap(t *testing.T, server *stoatest.Server, name string) {
	t.Helper()
	do(t, request{path: "/api/v1/namespaces/default/configmaps/" + name, config: server.Config()})
}

// TestAuditWebhook sends batches, some to a sink that is down.
func TestAuditWebhook(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	server := s.start(t, "--audit-webhook-batch-max-size=3", "--audit-webhook-batch-max-wait=1h", "--audit-webhook-batch-throttle-enable=false", "--audit-webhook-initial-backoff=1ms")
	const dropped = `apiserver_audit_error_total{plugin="webhook"}`
	before := metric(t, server, dropped)
	s.set(true)
	for i := range 3 {
		getConfigMap(t, server, fmt.Sprintf("lost-%d", i))
	}
	eventually(t, func() string {
		if got := metric(t, server, dropped); got != before+3 {
			return fmt.Sprintf("%v events are counted as lost, want 3", got-before)
		}
		return ""
	})
	s.set(false)
	want := map[string]int{}
	for i := range 7 {
		name := fmt.Sprintf("kept-%d", i)
		getConfigMap(t, server, name)
		want[name] = 1
	}
	eventually(t, func() string { // all but the last, which waits for others
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.batches) != 2 {
			return fmt.Sprintf("batches %v", s.batches)
		}
		return ""
	})
	server.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.names); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{3, 3, 1}, s.batches); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

// TestAuditWebhookRetries has a sink that comes back before the server gives up.
func TestAuditWebhookRetries(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	s.set(true)
	// It tries for 8 s in all.
	server := s.start(t, "--audit-webhook-mode=blocking", "--audit-webhook-initial-backoff=1s")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = try(t.Context(), request{path: "/api/v1/namespaces/default/configmaps/late", config: server.Config()})
	}()
	eventually(t, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.refused == 0 {
			return "no event"
		}
		return ""
	})
	s.set(false)
	<-done
	server.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(map[string]int{"late": 1}, s.names); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestAuditBuffer loses events that come faster than they are sent, and counts them.
func TestAuditBuffer(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	server := s.start(t, "--audit-webhook-batch-buffer-size=1", "--audit-webhook-batch-max-size=1", "--audit-webhook-batch-throttle-qps=1", "--audit-webhook-batch-throttle-burst=1")
	const dropped = `apiserver_audit_error_total{plugin="buffered"}`
	before := metric(t, server, dropped)
	sent := 0
	eventually(t, func() string {
		var round sync.WaitGroup
		for range 20 { // at once, because on a busy machine one after the other may take a second each
			name := fmt.Sprintf("n-%d", sent)
			sent++
			round.Go(func() {
				_, _ = try(t.Context(), request{path: "/api/v1/namespaces/default/configmaps/" + name, config: server.Config()})
			})
		}
		round.Wait()
		if metric(t, server, dropped) == before {
			return "no event is counted as lost"
		}
		return ""
	})
	server.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if lost := sent - len(s.names); lost < 1 {
		t.Errorf("%d of %d events are lost", lost, sent)
	}
}

// TestAuditBatch stops a server that has events in its buffer.
func TestAuditBatch(t *testing.T) {
	t.Parallel()
	server, log := audited(t, configMapPolicy, "--audit-log-mode=batch", "--audit-log-batch-max-size=1000", "--audit-log-batch-max-wait=1h")
	want := map[string]int{}
	var wait sync.WaitGroup
	for i := range 50 {
		name := fmt.Sprintf("n-%d", i)
		want[name] = 1
		wait.Go(func() {
			_, _ = try(t.Context(), request{path: "/api/v1/namespaces/default/configmaps/" + name, config: server.Config()})
		})
	}
	wait.Wait()
	if info, err := os.Stat(log); err != nil || info.Size() != 0 {
		t.Errorf("the log is %v (%v), want it to be empty", info, err)
	}
	server.Stop()
	got := map[string]int{}
	for _, event := range auditEvents(t, log) {
		got[event.ObjectRef.Name]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestAuditRotation writes more than a file may hold.
func TestAuditRotation(t *testing.T) {
	t.Parallel()
	server, log := audited(t, configMapPolicy, "--audit-log-maxsize=1", "--audit-log-compress", "--audit-log-maxbackup=50")
	client := clientFor(t, server.Config()).CoreV1().ConfigMaps("default")
	const count = 12
	for i := range count {
		if _, err := client.Create(t.Context(), newConfigMap(fmt.Sprintf("n-%d", i), strings.Repeat("x", 150_000)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	server.Stop()
	rotated := func(pattern string) []string {
		names, err := filepath.Glob(strings.TrimSuffix(log, ".log") + pattern)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	eventually(t, func() string {
		if plain, zipped := rotated("-*.log"), rotated("-*.log.gz"); len(plain) > 0 || len(zipped) < 3 {
			return fmt.Sprintf("rotated: %v and %v", plain, zipped)
		}
		return ""
	})
	for _, name := range append(rotated("-*.log.gz"), log) {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v (%v)", name, info.Mode(), err)
		}
	}
}

// TestAuditTruncation leaves out what is too large.
func TestAuditTruncation(t *testing.T) {
	t.Parallel()
	server, log := audited(t, configMapPolicy, "--audit-log-truncate-enabled", "--audit-log-truncate-max-event-size=10000")
	client := clientFor(t, server.Config()).CoreV1().ConfigMaps("default")
	for name, size := range map[string]int{"small": 10, "large": 10_000} {
		if _, err := client.Create(t.Context(), newConfigMap(name, strings.Repeat("x", size)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	server.Stop()
	got := map[string]string{}
	for _, event := range auditEvents(t, log) {
		got[event.ObjectRef.Name] = fmt.Sprintf("objects %t, truncated %q", event.RequestObject != nil && event.ResponseObject != nil, event.Annotations["audit.k8s.io/truncated"])
	}
	want := map[string]string{"small": `objects true, truncated ""`, "large": `objects false, truncated "true"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestAuditStrict refuses requests that cannot be recorded.
func TestAuditStrict(t *testing.T) {
	t.Parallel()
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("needs a disk that is full: ", err)
	}
	policy := secretFile(t, "policy.yaml", policyHeader+"rules:\n- {level: Metadata, resources: [{resources: [configmaps]}], namespaces: [strict]}\n")
	for mode, want := range map[string]int{"blocking": http.StatusOK, "blocking-strict": http.StatusInternalServerError} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags("--audit-policy-file="+policy, "--audit-log-path="+full, "--audit-log-maxsize=0", "--audit-log-mode="+mode))
			got := do(t, request{path: "/api/v1/namespaces/strict/configmaps", config: server.Config()})
			if got.code != want {
				t.Errorf("recorded: %d %s", got.code, got.body)
			}
			if got = do(t, request{path: "/api/v1/namespaces/other/configmaps", config: server.Config()}); got.code != http.StatusOK {
				t.Errorf("not recorded: %d %s", got.code, got.body)
			}
		})
	}
}

// TestAuditOff has no policy, and so no log.
func TestAuditOff(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "audit.log")
	server := stoatest.Start(t, stoatest.WithFlags("--audit-log-path="+log))
	getConfigMap(t, server, "x")
	server.Stop()
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("the log is there: %v", err)
	}
}
