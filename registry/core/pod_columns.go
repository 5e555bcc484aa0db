// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

func podColumns() []kind.Column[core.Pod] {
	spec, status := corev1.PodSpec{}.SwaggerDoc(), corev1.PodStatus{}.SwaggerDoc()
	orNone := func(s string) any { return cmp.Or(s, "<none>") }
	return []kind.Column[core.Pod]{
		kind.Name[core.Pod](),
		{Name: "Ready", Description: "The aggregate readiness state of this pod for accepting traffic.", Value: func(p *core.Pod) any {
			s := summarize(p)
			return fmt.Sprintf("%d/%d", s.ready, s.containers)
		}},
		{Name: "Status", Description: "The aggregate status of the containers in this pod.",
			Value: func(p *core.Pod) any { return summarize(p).reason }},
		{Name: "Restarts", Description: "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
			Value: func(p *core.Pod) any { return summarize(p).restarts.String() }},
		kind.Age[core.Pod](),
		{Name: "IP", Wide: true, Description: status["podIP"], Value: func(p *core.Pod) any {
			if len(p.Status.PodIPs) == 0 {
				return orNone("")
			}
			return orNone(p.Status.PodIPs[0].IP)
		}},
		{Name: "Node", Wide: true, Description: spec["nodeName"], Value: func(p *core.Pod) any { return orNone(p.Spec.NodeName) }},
		{Name: "Nominated Node", Wide: true, Description: status["nominatedNodeName"],
			Value: func(p *core.Pod) any { return orNone(p.Status.NominatedNodeName) }},
		{Name: "Readiness Gates", Wide: true, Description: spec["readinessGates"], Value: openGates},
	}
}

// openGates says how many of the conditions that a pod waits for are true.
func openGates(p *core.Pod) any {
	if len(p.Spec.ReadinessGates) == 0 {
		return "<none>"
	}
	open := 0
	for _, gate := range p.Spec.ReadinessGates {
		if hasPodCondition(&p.Status, gate.ConditionType) {
			open++
		}
	}
	return fmt.Sprintf("%d/%d", open, len(p.Spec.ReadinessGates))
}

// hasPodCondition says that the first condition of a type is true.
func hasPodCondition(status *corev1.PodStatus, conditionType corev1.PodConditionType) bool {
	i := slices.IndexFunc(status.Conditions, func(c corev1.PodCondition) bool { return c.Type == conditionType })
	return i >= 0 && status.Conditions[i].Status == corev1.ConditionTrue
}

// restarts counts how often containers were restarted, and when the last was.
type restarts struct {
	count int
	last  metav1.Time
}

func (r *restarts) add(s *corev1.ContainerStatus) {
	r.count += int(s.RestartCount)
	if ended := s.LastTerminationState.Terminated; ended != nil && r.last.Before(&ended.FinishedAt) {
		r.last = ended.FinishedAt
	}
}

func (r restarts) String() string {
	if r.count == 0 || r.last.IsZero() {
		return fmt.Sprint(r.count)
	}
	return fmt.Sprintf("%d (%s ago)", r.count, kind.HumanAge(r.last))
}

// podSummary is what a line about a pod says of its containers.
type podSummary struct {
	ready, containers int
	reason            string
	restarts          restarts
}

func summarize(p *core.Pod) podSummary {
	s := podSummary{containers: len(p.Spec.Containers), reason: cmp.Or(p.Status.Reason, string(p.Status.Phase))}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated {
			s.reason = corev1.PodReasonSchedulingGated
		}
	}
	sidecars := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars[c.Name] = true
			s.containers++
		}
	}
	ofSidecars, initializing := s.addInitContainers(p, sidecars)
	if !initializing || hasPodCondition(&p.Status, corev1.PodInitialized) {
		s.restarts = ofSidecars
		s.addContainers(p)
	}
	switch {
	case p.DeletionTimestamp == nil:
	case p.Status.Reason == "NodeLost":
		s.reason = "Unknown"
	case !isPodOver(p):
		s.reason = "Terminating"
	}
	return s
}

// addInitContainers goes through them until one is not done: while there is one, it is
// what the pod is about.
func (s *podSummary) addInitContainers(p *core.Pod, sidecars map[string]bool) (ofSidecars restarts, initializing bool) {
	for i := range p.Status.InitContainerStatuses {
		c := &p.Status.InitContainerStatuses[i]
		s.restarts.add(c)
		if sidecars[c.Name] {
			ofSidecars.add(c)
		}
		ended, waiting := c.State.Terminated, c.State.Waiting
		switch {
		case ended != nil && ended.ExitCode == 0:
			continue
		case sidecars[c.Name] && c.Started != nil && *c.Started:
			if c.Ready {
				s.ready++
			}
			continue
		case ended != nil:
			s.reason = "Init:" + endReason(ended)
		case waiting != nil && waiting.Reason != "" && waiting.Reason != "PodInitializing":
			s.reason = "Init:" + waiting.Reason
		default:
			s.reason = fmt.Sprintf("Init:%d/%d", i, len(p.Spec.InitContainers))
		}
		return ofSidecars, true
	}
	return ofSidecars, false
}

func (s *podSummary) addContainers(p *core.Pod) {
	running := false
	for _, c := range slices.Backward(p.Status.ContainerStatuses) {
		s.restarts.add(&c)
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			s.reason = c.State.Waiting.Reason
		case c.State.Terminated != nil:
			s.reason = endReason(c.State.Terminated)
		case c.Ready && c.State.Running != nil:
			running = true
			s.ready++
		}
	}
	// One that is done does not speak for those that still run.
	if s.reason == "Completed" && running {
		s.reason = "NotReady"
		if hasPodCondition(&p.Status, corev1.PodReady) {
			s.reason = "Running"
		}
	}
}

func endReason(ended *corev1.ContainerStateTerminated) string {
	switch {
	case ended.Reason != "":
		return ended.Reason
	case ended.Signal != 0:
		return fmt.Sprintf("Signal:%d", ended.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", ended.ExitCode)
}
