// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// gate is an admission plugin before which new config maps wait whose name begins with
// "slow", and at which the one called "panic" panics.
type gate struct {
	// arrived has the name of each that waits, and open lets one go on.
	arrived chan string
	open    chan struct{}
}

// startGated starts a server with a gate, whose requests may take as long as they need,
// and where everybody may do everything. In the end it lets all go on.
func startGated(t *testing.T, flags ...string) (*gate, *stoatest.Server) {
	t.Helper()
	g := &gate{arrived: make(chan string, 1000), open: make(chan struct{}, 1000)}
	s := stoatest.Start(t, stoatest.WithFlags("--request-timeout=10m", "--authorization-mode=AlwaysAllow"), stoatest.WithFlags(flags...),
		stoatest.WithOptions(func(o *server.Options) {
			o.Admission.Plugins.Register("Gate", func(io.Reader) (admission.Interface, error) { return g, nil })
			o.Admission.RecommendedPluginOrder = append(o.Admission.RecommendedPluginOrder, "Gate")
		}))
	t.Cleanup(func() { close(g.open) }) // before the server is stopped
	return g, s
}

func (g *gate) Handles(operation admission.Operation) bool { return operation == admission.Create }

func (g *gate) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	switch {
	case a.GetResource().Resource != "configmaps":
	case a.GetName() == "panic":
		panic("this config map cannot be")
	case strings.HasPrefix(a.GetName(), "slow"):
		g.arrived <- a.GetName()
		<-g.open
	}
	return nil
}

// next is the name of the next config map that waits.
func (g *gate) next(t *testing.T) string {
	t.Helper()
	select {
	case name := <-g.arrived:
		return name
	case <-time.After(patience):
		t.Fatal("no request arrived")
		return ""
	}
}

// create makes a config map as a user, in the background.
func create(t *testing.T, s *stoatest.Server, user, name string) <-chan answer {
	t.Helper()
	done := make(chan answer, 1)
	go func() {
		out, err := try(t.Context(), creation(s, user, name))
		if err != nil {
			out.body = []byte(err.Error())
		}
		done <- out
	}()
	return done
}

func creation(s *stoatest.Server, user, name string) request {
	return request{
		config: s.Config(), method: "POST", path: "/api/v1/namespaces/default/configmaps", header: map[string]string{"Impersonate-User": user},
		body: fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q}}`, name),
	}
}

// flow is a level with few seats and the schema that brings some users there. Unset
// queues refuse what is too much.
type flow struct {
	name   string
	users  []string
	queues *flowcontrolv1.QueuingConfiguration
}

func (f flow) level() *flowcontrolv1.PriorityLevelConfiguration {
	limit := flowcontrolv1.LimitResponse{Type: flowcontrolv1.LimitResponseTypeReject}
	if f.queues != nil {
		limit = flowcontrolv1.LimitResponse{Type: flowcontrolv1.LimitResponseTypeQueue, Queuing: f.queues}
	}
	return &flowcontrolv1.PriorityLevelConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: f.name},
		Spec: flowcontrolv1.PriorityLevelConfigurationSpec{
			Type: flowcontrolv1.PriorityLevelEnablementLimited,
			Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
				NominalConcurrencyShares: new(int32(1)), BorrowingLimitPercent: new(int32(0)), LimitResponse: limit,
			},
		},
	}
}

func (f flow) schema() *flowcontrolv1.FlowSchema {
	every := []string{"*"}
	rule := flowcontrolv1.PolicyRulesWithSubjects{
		ResourceRules: []flowcontrolv1.ResourcePolicyRule{{Verbs: every, APIGroups: every, Resources: every, Namespaces: every, ClusterScope: true}},
	}
	for _, user := range f.users {
		rule.Subjects = append(rule.Subjects, flowcontrolv1.Subject{Kind: flowcontrolv1.SubjectKindUser, User: &flowcontrolv1.UserSubject{Name: user}})
	}
	return &flowcontrolv1.FlowSchema{
		ObjectMeta: metav1.ObjectMeta{Name: f.name},
		Spec: flowcontrolv1.FlowSchemaSpec{
			PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: f.name},
			MatchingPrecedence:         50,
			DistinguisherMethod:        &flowcontrolv1.FlowDistinguisherMethod{Type: flowcontrolv1.FlowDistinguisherMethodByUserType},
			Rules:                      []flowcontrolv1.PolicyRulesWithSubjects{rule},
		},
	}
}

// add makes both and waits until the server goes by them.
func (f flow) add(t *testing.T, s *stoatest.Server) {
	t.Helper()
	client := clientFor(t, s.Config()).FlowcontrolV1()
	if _, err := client.PriorityLevelConfigurations().Create(t.Context(), f.level(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	schema, err := client.FlowSchemas().Create(t.Context(), f.schema(), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range f.users {
		eventually(t, func() string {
			if got := schemaOf(t, s, user); got != string(schema.UID) {
				return "requests of " + user + " do not belong to " + f.name
			}
			return ""
		})
	}
}

// schemaOf is the UID of the flow schema to which reads of a user belong.
func schemaOf(t *testing.T, s *stoatest.Server, user string) string {
	t.Helper()
	got := do(t, request{config: s.Config(), path: "/api/v1/namespaces/default/configmaps", header: map[string]string{"Impersonate-User": user}})
	return got.header.Get("X-Kubernetes-PF-FlowSchema-UID")
}

// waiting waits until as many requests as wanted are in the queues of a level.
func waiting(t *testing.T, s *stoatest.Server, level string, want int) {
	t.Helper()
	eventually(t, func() string {
		got := do(t, request{config: s.Config(), path: "/debug/api_priority_and_fairness/dump_priority_levels"})
		for line := range bytes.Lines(got.body) {
			columns := strings.Fields(strings.ReplaceAll(string(line), ",", " "))
			if len(columns) > 4 && columns[0] == level {
				if columns[4] == fmt.Sprint(want) {
					return ""
				}
				return fmt.Sprintf("%s requests wait in level %s, want %d", columns[4], level, want)
			}
		}
		return fmt.Sprintf("there is no level %s: %s", level, got.body)
	})
}

// TestFairness has one user send many requests to a server that answers none. Another
// one has its turn as if they were few, those of other levels and administrators are
// answered at once, and in the end all are.
func TestFairness(t *testing.T) {
	t.Parallel()
	const many = 60
	g, s := startGated(t, "--max-requests-inflight=100", "--max-mutating-requests-inflight=100")
	narrow := flow{name: "narrow", users: []string{"noisy", "quiet"}, queues: &flowcontrolv1.QueuingConfiguration{Queues: 64, HandSize: 1, QueueLengthLimit: many}}
	narrow.add(t, s) // 1 of 247 shares of 200 seats is one seat
	var answers []<-chan answer
	for i := range many {
		answers = append(answers, create(t, s, "noisy", fmt.Sprintf("slow-noisy-%d", i)))
	}
	order := []string{g.next(t)}
	waiting(t, s, "narrow", many-1)
	answers = append(answers, create(t, s, "quiet", "slow-quiet"))
	waiting(t, s, "narrow", many)

	for _, user := range []string{"somebody", "system:kube-scheduler"} {
		if got := <-create(t, s, user, "of-"+strings.ReplaceAll(user, ":", "-")); got.code != 201 {
			t.Errorf("%s, whose level is another one: %d %s", user, got.code, got.body)
		}
	}
	createConfigMap(t, defaultConfigMaps(t, s), "of-administrator", "1")

	for range many {
		g.open <- struct{}{}
		order = append(order, g.next(t))
	}
	g.open <- struct{}{}
	for _, done := range answers {
		if got := <-done; got.code != 201 {
			t.Errorf("a request that waited: %d %s", got.code, got.body)
		}
	}
	// First come, first served would make it the last one.
	if at := slices.Index(order, "slow-quiet"); at < 1 || at > 2 {
		t.Errorf("the request of the other user was served after %d of %d", at, len(order))
	}
}

// TestQueueIsFull refuses what is too much, and says when to come again.
func TestQueueIsFull(t *testing.T) {
	t.Parallel()
	g, s := startGated(t, "--max-requests-inflight=100", "--max-mutating-requests-inflight=100")
	for name, test := range map[string]struct {
		queues *flowcontrolv1.QueuingConfiguration
		room   int
		reason string
	}{
		"queue":  {&flowcontrolv1.QueuingConfiguration{Queues: 1, HandSize: 1, QueueLengthLimit: 3}, 3, "queue-full"},
		"reject": {nil, 0, "concurrency-limit"},
	} {
		name = unique(t) + "-" + name // metrics are those of the whole process
		flow{name: name, users: []string{name}, queues: test.queues}.add(t, s)
		answers := []<-chan answer{create(t, s, name, "slow-"+name)}
		g.next(t)
		for i := range test.room {
			answers = append(answers, create(t, s, name, fmt.Sprintf("slow-%s-%d", name, i)))
		}
		waiting(t, s, name, test.room)
		for range 2 { // what was refused takes no room
			got := do(t, creation(s, name, "refused"))
			if got.code != 429 || got.header.Get("Retry-After") != "1" || string(got.body) != "Too many requests, please try again later.\n" {
				t.Errorf("%s: %d, Retry-After %q: %s", name, got.code, got.header.Get("Retry-After"), got.body)
			}
			level, err := clientFor(t, s.Config()).FlowcontrolV1().PriorityLevelConfigurations().Get(t.Context(), name, metav1.GetOptions{})
			if uid := got.header.Get("X-Kubernetes-PF-PriorityLevel-UID"); err != nil || uid != string(level.UID) {
				t.Errorf("%s: the answer is of level %s (%v)", name, uid, err)
			}
		}
		metric := fmt.Sprintf("apiserver_flowcontrol_rejected_requests_total{flow_schema=%q,priority_level=%q,reason=%q} 2\n", name, name, test.reason)
		if got := do(t, request{config: s.Config(), path: "/metrics"}); !bytes.Contains(got.body, []byte(metric)) {
			t.Errorf("metrics have no %s", metric)
		}
		for range answers {
			g.open <- struct{}{}
		}
		for _, done := range answers {
			if got := <-done; got.code != 201 {
				t.Errorf("%s: a request that waited: %d %s", name, got.code, got.body)
			}
		}
		if got := <-create(t, s, name, "later-"+name); got.code != 201 {
			t.Errorf("%s: later: %d %s", name, got.code, got.body)
		}
	}
}

// TestFlowSchemas tells whose requests belong where, on the shared server.
func TestFlowSchemas(t *testing.T) {
	t.Parallel()
	client := coreClient(t).FlowcontrolV1()
	for name, test := range map[string]struct {
		user   string
		groups []string
		want   string
	}{
		"administrator":      {"root", []string{"system:masters", "system:authenticated"}, "exempt"},
		"node":               {"system:node:a", []string{"system:nodes", "system:authenticated"}, "system-nodes"},
		"controller manager": {"system:kube-controller-manager", []string{"system:authenticated"}, "kube-controller-manager"},
		"account":            {"system:serviceaccount:default:a", []string{"system:serviceaccounts", "system:authenticated"}, "service-accounts"},
		"person":             {"ann", []string{"system:authenticated"}, "global-default"},
		"stranger":           {"system:anonymous", []string{"system:unauthenticated"}, "global-default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := api.Config()
			config.Impersonate.UserName, config.Impersonate.Groups = test.user, test.groups
			schema, err := client.FlowSchemas().Get(t.Context(), test.want, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			level, err := client.PriorityLevelConfigurations().Get(t.Context(), schema.Spec.PriorityLevelConfiguration.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := do(t, request{path: "/api/v1/namespaces/default/configmaps", config: config})
			want := map[string]string{"X-Kubernetes-PF-FlowSchema-UID": string(schema.UID), "X-Kubernetes-PF-PriorityLevel-UID": string(level.UID)}
			for header, uid := range want {
				if got.header.Get(header) != uid {
					t.Errorf("%s is %s, want that of %s", header, got.header.Get(header), test.want)
				}
			}
		})
	}
}

// TestDangling has the controller say whether the level of a flow schema is there, and
// only write where that is not what is stored.
func TestDangling(t *testing.T) {
	t.Parallel()
	client := coreClient(t).FlowcontrolV1()
	f := flow{name: unique(t), users: []string{"nobody-of-" + unique(t)}}
	if _, err := client.FlowSchemas().Create(t.Context(), f.schema(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = client.FlowSchemas().Delete(ctx, f.name, metav1.DeleteOptions{})
		_ = client.PriorityLevelConfigurations().Delete(ctx, f.name, metav1.DeleteOptions{})
	})
	want := func(status flowcontrolv1.ConditionStatus, reason string) {
		t.Helper()
		eventually(t, func() string {
			got, err := client.FlowSchemas().Get(t.Context(), f.name, metav1.GetOptions{})
			if err != nil || len(got.Status.Conditions) != 1 {
				return fmt.Sprintf("no condition (%v)", err)
			}
			if c := got.Status.Conditions[0]; c.Type != "Dangling" || c.Status != status || c.Reason != reason {
				return fmt.Sprintf("condition %v, want Dangling=%s, %s", c, status, reason)
			}
			return ""
		})
	}
	want("True", "NotFound")
	if _, err := client.PriorityLevelConfigurations().Create(t.Context(), f.level(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	want("False", "Found")
	schema, err := client.FlowSchemas().Get(t.Context(), "global-default", metav1.GetOptions{})
	if err != nil || len(schema.ManagedFields) > 0 || len(schema.Status.Conditions) != 1 || schema.Status.Conditions[0].Status != "False" {
		t.Errorf("a default object was written again: %+v (%v)", schema, err)
	}
}

// TestFlowControlPaths are for who may read paths below /debug.
func TestFlowControlPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dump_priority_levels", "dump_queues", "dump_requests"} {
		path := "/debug/api_priority_and_fairness/" + name
		if got := do(t, request{path: path}); got.code != 200 || !bytes.HasPrefix(got.body, []byte("PriorityLevelName,")) {
			t.Errorf("%s: %d %s", name, got.code, got.body)
		}
		got := do(t, request{path: path, header: map[string]string{"Impersonate-User": "ann"}})
		if want := fmt.Sprintf(`forbidden: User "ann" cannot get path %q`, path); got.status(t).Message != want {
			t.Errorf("%s: %s, want %s", name, got.body, want)
		}
	}
}

// TestFlowControlMaintenance puts the objects right that the server cannot do without,
// and those that users have left alone; it deletes what an older server has made.
func TestFlowControlMaintenance(t *testing.T) {
	t.Parallel()
	s := stoatest.Start(t, stoatest.WithOptions(func(o *server.Options) { o.Maintenance = 10 * time.Millisecond }))
	client := kubernetes.NewForConfigOrDie(s.Config()).FlowcontrolV1()
	schemas, levels := client.FlowSchemas(), client.PriorityLevelConfigurations()
	change := func(name, patch string) {
		t.Helper()
		if _, err := schemas.Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	change("probes", `{"metadata":{"annotations":{"apf.kubernetes.io/autoupdate-spec":"false"}},"spec":{"matchingPrecedence":77}}`)
	old := flow{name: "old", users: []string{"nobody"}}.schema()
	old.Annotations = map[string]string{"apf.kubernetes.io/autoupdate-spec": "true"}
	own := flow{name: "own", users: []string{"nobody"}}.schema()
	for _, schema := range []*flowcontrolv1.FlowSchema{old, own} {
		if _, err := schemas.Create(t.Context(), schema, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	change("global-default", `{"spec":{"matchingPrecedence":9000}}`)
	change("exempt", `{"metadata":{"annotations":{"apf.kubernetes.io/autoupdate-spec":"false"}}}`)
	for _, name := range []string{"catch-all", "kube-scheduler"} {
		if err := schemas.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"exempt", "workload-high"} {
		if err := levels.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int32{
		"global-default": 9900, "exempt": 1, "catch-all": 10000, "kube-scheduler": 800, // put right
		"probes": 77, "own": 50, // of users
	}
	eventually(t, func() string {
		for _, name := range slices.Sorted(maps.Keys(want)) {
			got, err := schemas.Get(t.Context(), name, metav1.GetOptions{})
			if err != nil || got.Spec.MatchingPrecedence != want[name] {
				return fmt.Sprintf("flow schema %s has precedence %d, want %d (%v)", name, got.Spec.MatchingPrecedence, want[name], err)
			}
		}
		if got, err := schemas.Get(t.Context(), "exempt", metav1.GetOptions{}); err != nil || got.Annotations["apf.kubernetes.io/autoupdate-spec"] != "true" {
			return fmt.Sprintf("flow schema exempt has annotations %v (%v)", got.Annotations, err)
		}
		for _, name := range []string{"exempt", "workload-high"} {
			if _, err := levels.Get(t.Context(), name, metav1.GetOptions{}); err != nil {
				return text(err)
			}
		}
		if _, err := schemas.Get(t.Context(), "old", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return "the object of an older server is still there"
		}
		return ""
	})
}
