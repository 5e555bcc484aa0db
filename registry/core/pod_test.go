// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/core"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	always := new(corev1.ContainerRestartPolicyAlways)
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	ended := func(e corev1.ContainerStateTerminated) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &e}
	}
	condition := func(t corev1.PodConditionType) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: t, Status: corev1.ConditionTrue}}
	}
	two := corev1.PodSpec{Containers: make([]corev1.Container, 2)}
	withInit := corev1.PodSpec{Containers: make([]corev1.Container, 1), InitContainers: []corev1.Container{{Name: "i"}}}
	withSidecar := corev1.PodSpec{Containers: make([]corev1.Container, 1), InitContainers: []corev1.Container{{Name: "i", RestartPolicy: always}}}
	type (
		status     = corev1.PodStatus
		containers = []corev1.ContainerStatus
		end        = corev1.ContainerStateTerminated
	)
	done := containers{{Name: "i", State: ended(end{}), RestartCount: 2}}
	for name, test := range map[string]struct {
		spec   corev1.PodSpec
		status status
		gone   bool
		want   podSummary
	}{
		"new":   {spec: two, status: status{Phase: "Pending"}, want: podSummary{containers: 2, reason: "Pending"}},
		"gated": {spec: two, status: status{Phase: "Pending", Conditions: []corev1.PodCondition{{Type: "PodScheduled", Reason: "SchedulingGated"}}}, want: podSummary{containers: 2, reason: "SchedulingGated"}},
		"evicted by the kubelet": {
			spec: two, status: status{Phase: "Failed", Reason: "Evicted"}, want: podSummary{containers: 2, reason: "Evicted"}},
		"running": {
			spec: two, status: status{Phase: "Running", ContainerStatuses: containers{{State: running, Ready: true, RestartCount: 1}, {State: running, RestartCount: 2}}},
			want: podSummary{containers: 2, ready: 1, reason: "Running", restarts: restarts{count: 3}}},
		"waiting": {
			spec: two, status: status{Phase: "Pending", ContainerStatuses: containers{{State: waiting("ErrImagePull")}, {State: waiting("ContainerCreating")}}},
			want: podSummary{containers: 2, reason: "ErrImagePull"}},
		"killed": {
			spec: two, status: status{Phase: "Running", ContainerStatuses: containers{{State: ended(end{Signal: 9})}}},
			want: podSummary{containers: 2, reason: "Signal:9"}},
		"failed": {
			spec: two, status: status{Phase: "Running", ContainerStatuses: containers{{State: ended(end{ExitCode: 2})}}},
			want: podSummary{containers: 2, reason: "ExitCode:2"}},
		"one done, one ready, the pod ready": {
			spec: two, status: status{Phase: "Running", Conditions: condition(corev1.PodReady), ContainerStatuses: containers{{State: ended(end{Reason: "Completed"})}, {State: running, Ready: true}}},
			want: podSummary{containers: 2, ready: 1, reason: "Running"}},
		"one done, one ready, the pod not": {
			spec: two, status: status{Phase: "Running", ContainerStatuses: containers{{State: ended(end{Reason: "Completed"})}, {State: running, Ready: true}}},
			want: podSummary{containers: 2, ready: 1, reason: "NotReady"}},
		"initializing": {
			spec: withInit, status: status{Phase: "Pending", InitContainerStatuses: containers{{Name: "i", State: running, RestartCount: 1}}, ContainerStatuses: containers{{State: waiting("PodInitializing"), RestartCount: 5}}},
			want: podSummary{containers: 1, reason: "Init:0/1", restarts: restarts{count: 1}}},
		"initializing failed": {
			spec: withInit, status: status{Phase: "Pending", InitContainerStatuses: containers{{Name: "i", State: ended(end{ExitCode: 1})}}},
			want: podSummary{containers: 1, reason: "Init:ExitCode:1"}},
		"initializing waits": {
			spec: withInit, status: status{Phase: "Pending", InitContainerStatuses: containers{{Name: "i", State: waiting("CrashLoopBackOff")}}},
			want: podSummary{containers: 1, reason: "Init:CrashLoopBackOff"}},
		"restarts of init containers that are done do not count": {
			spec: withInit, status: status{Phase: "Running", InitContainerStatuses: done, ContainerStatuses: containers{{State: running, Ready: true, RestartCount: 1}}},
			want: podSummary{containers: 1, ready: 1, reason: "Running", restarts: restarts{count: 1}}},
		"those of sidecars do": {
			spec: withSidecar, status: status{Phase: "Running",
				InitContainerStatuses: containers{{Name: "i", State: running, Started: new(true), Ready: true, RestartCount: 2}},
				ContainerStatuses:     containers{{State: running, Ready: true, RestartCount: 1}}},
			want: podSummary{containers: 2, ready: 2, reason: "Running", restarts: restarts{count: 3}}},
		"terminating": {spec: two, gone: true, status: status{Phase: "Running"}, want: podSummary{containers: 2, reason: "Terminating"}},
		"node lost":   {spec: two, gone: true, status: status{Phase: "Running", Reason: "NodeLost"}, want: podSummary{containers: 2, reason: "Unknown"}},
		"over":        {spec: two, gone: true, status: status{Phase: "Succeeded"}, want: podSummary{containers: 2, reason: "Succeeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &core.Pod{Spec: test.spec, Status: test.status}
			if test.gone {
				pod.DeletionTimestamp = new(metav1.Now())
			}
			if diff := cmp.Diff(test.want, summarize(pod), cmp.AllowUnexported(podSummary{}, restarts{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(time.Now().Add(-d))}}
	}
	var r restarts
	r.add(&corev1.ContainerStatus{LastTerminationState: ago(time.Minute)})
	if got := r.String(); got != "0" {
		t.Errorf("without restarts: %q", got)
	}
	r.add(&corev1.ContainerStatus{RestartCount: 2, LastTerminationState: ago(3 * time.Hour)})
	r.add(&corev1.ContainerStatus{RestartCount: 1, LastTerminationState: ago(5 * time.Hour)})
	if got := r.String(); got != "3 (60s ago)" {
		t.Errorf("got %q, want the latest restart", got)
	}
}

func TestCheckGracefulPodDelete(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		node  string
		phase corev1.PodPhase
		own   *int64
		asked *int64
		want  int64
	}{
		"its own period":       {node: "n", phase: corev1.PodRunning, own: new(int64(30)), want: 30},
		"the user's period":    {node: "n", phase: corev1.PodRunning, own: new(int64(30)), asked: new(int64(5)), want: 5},
		"a negative period":    {node: "n", phase: corev1.PodRunning, own: new(int64(30)), asked: new(int64(-1)), want: 1},
		"no node":              {phase: corev1.PodPending, own: new(int64(30)), want: 0},
		"done":                 {node: "n", phase: corev1.PodSucceeded, own: new(int64(30)), want: 0},
		"failed, time granted": {node: "n", phase: corev1.PodFailed, asked: new(int64(30)), want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &core.Pod{Spec: corev1.PodSpec{NodeName: test.node, TerminationGracePeriodSeconds: test.own}, Status: corev1.PodStatus{Phase: test.phase}}
			options := &metav1.DeleteOptions{GracePeriodSeconds: test.asked}
			if !checkGracefulPodDelete(t.Context(), pod, options) {
				t.Error("not graceful")
			}
			if got := ptr.Deref(options.GracePeriodSeconds, -1); got != test.want {
				t.Errorf("got %d seconds, want %d", got, test.want)
			}
		})
	}
}

func TestBindTo(t *testing.T) {
	t.Parallel()
	binding := &core.Binding{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"zone": "b"}, Annotations: map[string]string{"a": "1"}}, Target: corev1.ObjectReference{Name: "node"}}
	for name, test := range map[string]struct {
		pod  core.Pod
		want string // the error
	}{
		"free":     {pod: core.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"zone": "a", "app": "x"}}, Status: corev1.PodStatus{NominatedNodeName: "other"}}},
		"bound":    {pod: core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{NodeName: "other"}}, want: `pod p is already assigned to node "other"`},
		"deleted":  {pod: core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", DeletionTimestamp: new(metav1.Now())}}, want: "pod p is being deleted, cannot be assigned to a host"},
		"held off": {pod: core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{{Name: "g"}}}}, want: "pod p has non-empty .spec.schedulingGates"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.pod.DeepCopy()
			err := bindTo(got, binding)
			if test.want != "" {
				if err == nil || err.Error() != test.want {
					t.Errorf("got error %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := &core.Pod{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"zone": "b", "app": "x"}, Annotations: map[string]string{"a": "1"}},
				Spec:       corev1.PodSpec{NodeName: "node"},
				Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}},
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(metav1.Time{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
