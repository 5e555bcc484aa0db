// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// outcome is what an attempt to empty a namespace found.
type outcome struct {
	mu sync.Mutex // kinds are emptied at the same time
	// discovery is why not all kinds are known, content why some could not be emptied.
	discovery error
	content   []error
	// objects are how many are left of each resource, finalizers for what they wait.
	objects    map[schema.GroupVersionResource]int
	finalizers map[string]int
	// seconds is how long what is left may take.
	seconds int64
}

func newOutcome() *outcome {
	return &outcome{objects: map[schema.GroupVersionResource]int{}, finalizers: map[string]int{}}
}

func (o *outcome) remains() bool { return len(o.objects) > 0 }

func (o *outcome) err() error { return errors.Join(append([]error{o.discovery}, o.content...)...) }

func (o *outcome) failed(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.content = append(o.content, err)
}

// left counts the objects of a resource that are left.
func (o *outcome) left(resource schema.GroupVersionResource, items []metav1.PartialObjectMetadata, seconds int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.objects[resource] = len(items)
	for i := range items {
		for _, finalizer := range items[i].Finalizers {
			o.finalizers[finalizer]++
		}
	}
	o.seconds = max(o.seconds, seconds)
}

// conditions say what was found. Reasons and messages are those of Kubernetes.
func (o *outcome) conditions() []corev1.NamespaceCondition {
	const removed, isRemoved = "ContentRemoved", "All content successfully removed"
	out := []corev1.NamespaceCondition{
		{Type: corev1.NamespaceDeletionDiscoveryFailure, Reason: "ResourcesDiscovered", Message: "All resources successfully discovered"},
		// Discovery names groups and versions apart: there is nothing to parse.
		{Type: corev1.NamespaceDeletionGVParsingFailure, Reason: "ParsedGroupVersions", Message: "All legacy kube types successfully parsed"},
		{Type: corev1.NamespaceDeletionContentFailure, Reason: "ContentDeleted", Message: "All content successfully deleted, may be waiting on finalization"},
		{Type: corev1.NamespaceContentRemaining, Reason: removed, Message: isRemoved},
		{Type: corev1.NamespaceFinalizersRemaining, Reason: removed, Message: isRemoved},
	}
	set := func(i int, reason, message string) {
		out[i].Status, out[i].Reason, out[i].Message = corev1.ConditionTrue, reason, message
	}
	for i := range out {
		out[i].Status, out[i].LastTransitionTime = corev1.ConditionFalse, metav1.Now()
	}
	if o.discovery != nil {
		message := o.discovery.Error()
		if some, ok := errors.AsType[*discovery.ErrGroupDiscoveryFailed](o.discovery); ok {
			message = fmt.Sprintf("Discovery failed for some groups, %d failing: %v", len(some.Groups), some)
		}
		set(0, "DiscoveryFailed", message)
	}
	if n := len(o.content); n > 0 {
		texts := make([]string, n)
		for i, err := range o.content {
			texts[i] = err.Error()
		}
		slices.Sort(texts)
		set(2, "ContentDeletionFailed", fmt.Sprintf("Failed to delete all resource types, %d remaining: %s", n, strings.Join(texts, ", ")))
	}
	if len(o.objects) > 0 {
		var parts []string
		for resource, n := range o.objects {
			parts = append(parts, fmt.Sprintf("%s.%s has %d resource instances", resource.Resource, resource.Group, n))
		}
		slices.Sort(parts)
		set(3, "SomeResourcesRemain", "Some resources are remaining: "+strings.Join(parts, ", "))
	}
	if len(o.finalizers) > 0 {
		var parts []string
		for _, finalizer := range slices.Sorted(maps.Keys(o.finalizers)) {
			parts = append(parts, fmt.Sprintf("%s in %d resource instances", finalizer, o.finalizers[finalizer]))
		}
		slices.Sort(parts)
		set(4, "SomeFinalizerRemain", "Some finalizers are remaining: "+strings.Join(parts, ", "))
	}
	return out
}

// writeTo makes a status say what was found; false if it did.
func (o *outcome) writeTo(status *corev1.NamespaceStatus) (changed bool) {
	if status.Phase != corev1.NamespaceTerminating {
		status.Phase, changed = corev1.NamespaceTerminating, true
	}
	for _, now := range o.conditions() {
		i := slices.IndexFunc(status.Conditions, func(c corev1.NamespaceCondition) bool { return c.Type == now.Type })
		if i < 0 {
			status.Conditions, changed = append(status.Conditions, now), true
			continue
		}
		before := &status.Conditions[i]
		if before.Status == now.Status {
			now.LastTransitionTime = before.LastTransitionTime
		}
		if *before != now {
			*before, changed = now, true
		}
	}
	return changed
}
