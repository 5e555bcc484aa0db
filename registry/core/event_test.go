// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	const elsewhere = `involvedObject.namespace: Invalid value: "kube-system": does not match event.namespace`
	for _, suite := range []kindtest.Suite{{
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "events"},
		Namespace: "default",
		Valid: `
apiVersion: v1
kind: Event
involvedObject: {kind: Pod, namespace: default, name: web}
reason: Started
source: {component: kubelet}
count: 1
type: Normal
`,
		Update: `count: 2`,
		Invalid: []kindtest.Invalid{{
			Name:   "about another namespace",
			Patch:  `involvedObject: {namespace: kube-system}`,
			Errors: []string{elsewhere},
		}},
		Columns:    []string{"Last Seen", "Type", "Reason", "Object", "Subobject", "Source", "Message", "First Seen", "Count", "Name"},
		Selectors:  map[string]bool{"involvedObject.name=web": true, "source=kubelet": true, "reason=Killed": false},
		ShortNames: []string{"ev"},
	}, {
		Resource:  schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"},
		Namespace: "kube-public", // both are one resource
		Valid: `
apiVersion: events.k8s.io/v1
kind: Event
regarding: {kind: Pod, namespace: kube-public, name: web}
eventTime: "2026-01-15T08:00:00.000000Z"
reason: Started
action: Start
reportingController: example.com/kubelet
reportingInstance: node-a
type: Normal
series: {count: 2, lastObservedTime: "2026-01-15T08:05:00.000000Z"}
`,
		Update: `series: {count: 3, lastObservedTime: "2026-01-15T08:05:00.000000Z"}`,
		Invalid: []kindtest.Invalid{{
			Name:   "of an old client",
			Patch:  `eventTime: null`,
			Errors: []string{"eventTime: Required value"},
		}, {
			Name:     "another reason",
			OnUpdate: true,
			Patch:    `reason: Killed`,
			Errors:   []string{`reason: Invalid value: "Killed": field is immutable`},
		}},
		Columns:    []string{"Last Seen", "Type", "Reason", "Object", "Subobject", "Source", "Message", "First Seen", "Count", "Name"},
		Selectors:  map[string]bool{"regarding.name=web": true, "reportingController=example.com/kubelet": true},
		ShortNames: []string{"ev"},
	}} {
		t.Run(suite.Resource.Group, func(t *testing.T) {
			t.Parallel()
			suite.Config = server.Config()
			kindtest.Run(t, suite)
		})
	}
}

// Both groups show the same events, which etcd forgets after a while.
func TestEventIsOne(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags("--event-ttl=90s"))
	client := kubernetes.NewForConfigOrDie(server.Config())
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "a", Namespace: "default"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: "web"},
		Message:        "Started container", Count: 3, Source: corev1.EventSource{Component: "kubelet", Host: "node-a"},
	}
	created, err := client.CoreV1().Events("default").Create(t.Context(), event, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.EventsV1().Events("default").Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := &eventsv1.Event{
		ObjectMeta: created.ObjectMeta, Regarding: event.InvolvedObject, Note: event.Message,
		DeprecatedCount: 3, DeprecatedSource: event.Source,
		ReportingController: created.ReportingController, ReportingInstance: created.ReportingInstance,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the event in events.k8s.io (-want +got):\n%s", diff)
	}
	stored, err := server.Etcd().Get(t.Context(), "/registry/events/default/a")
	if err != nil || len(stored.Kvs) != 1 {
		t.Fatalf("event in etcd: %v, %v", stored, err)
	}
	lease, err := server.Etcd().TimeToLive(t.Context(), clientv3.LeaseID(stored.Kvs[0].Lease))
	if err != nil {
		t.Fatal(err)
	}
	// Events of the same minute share a lease, which lives a little longer for it.
	if lease.GrantedTTL < 90 || lease.GrantedTTL > 180 {
		t.Errorf("the event lives %d seconds", lease.GrantedTTL)
	}
	if err := client.EventsV1().Events("default").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Events("default").Get(t.Context(), "a", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get after the other group's delete: %v, want NotFound", err)
	}
}
