// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core/qos"
)

// ValidatePodResize judges a pod of which the resources alone were changed.
func ValidatePodResize(pod, old *corev1.Pod) field.ErrorList {
	if _, mirror := old.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods cannot be resized")}
	}
	if old.Spec.OS != nil && old.Spec.OS.Name == corev1.Windows {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "windows pods cannot be resized")}
	}
	path := field.NewPath("spec")
	errs := validatePodAndSpec(pod, podUpdateOptions(pod, old))
	for _, lists := range []struct {
		name     string
		now, old []corev1.Container
	}{{"containers", pod.Spec.Containers, old.Spec.Containers}, {"initContainers", pod.Spec.InitContainers, old.Spec.InitContainers}} {
		if !sameContainers(lists.now, lists.old) {
			return append(errs, field.Forbidden(path, "containers may not be added, removed, reordered or renamed on resize"))
		}
	}
	if qos.Of(old) != qos.Compute(&pod.Spec) {
		errs = append(errs, field.Invalid(path, pod.Status.QOSClass, "Pod QOS Class may not change as a result of resizing"))
	}
	if !canResize(old) {
		errs = append(errs, field.Forbidden(path, "Pod running on node without support for resize"))
	}
	rest := pod.Spec.DeepCopy()
	if pod.Spec.Resources != nil && old.Spec.Resources != nil {
		errs = append(errs, validateKept(pod.Spec.Resources, old.Spec.Resources, path.Child("resources"))...)
		undoResize(rest.Resources, old.Spec.Resources)
	}
	for i := range rest.Containers {
		errs = append(errs, validateContainerResize(&rest.Containers[i], &old.Spec.Containers[i], path,
			path.Child("containers").Index(i), "only cpu and memory resources are mutable")...)
	}
	for i := range rest.InitContainers {
		if !isSidecar(&rest.InitContainers[i]) {
			if !apiequality.Semantic.DeepEqual(rest.InitContainers[i], old.Spec.InitContainers[i]) {
				errs = append(errs, field.Forbidden(path, "resources for non-sidecar init containers are immutable"))
			}
			continue
		}
		errs = append(errs, validateContainerResize(&rest.InitContainers[i], &old.Spec.InitContainers[i], path,
			path.Child("initContainers").Index(i), "only cpu and memory resources for sidecar containers are mutable")...)
	}
	if len(errs) == 0 && !apiequality.Semantic.DeepEqual(*rest, old.Spec) {
		errs = append(errs, field.Forbidden(path, "only cpu and memory resources are mutable"))
	}
	return errs
}

func sameContainers(now, old []corev1.Container) bool {
	if len(now) != len(old) {
		return false
	}
	for i := range now {
		if now[i].Name != old[i].Name {
			return false
		}
	}
	return true
}

// validateContainerResize judges one container and undoes in it what may change.
func validateContainerResize(c, old *corev1.Container, spec, path *field.Path, fixed string) field.ErrorList {
	errs := validateKept(&c.Resources, &old.Resources, path.Child("resources"))
	undoResize(&c.Resources, &old.Resources)
	if !apiequality.Semantic.DeepEqual(*c, *old) {
		errs = append(errs, field.Forbidden(spec, fixed))
	}
	return errs
}

// validateKept demands that there still is a request or limit where there was one.
func validateKept(now, old *corev1.ResourceRequirements, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	lost := func(now, old corev1.ResourceList) bool {
		for name := range old {
			if _, ok := now[name]; !ok {
				return true
			}
		}
		return false
	}
	if lost(now.Requests, old.Requests) {
		errs = append(errs, field.Forbidden(path.Child("requests"), "resource requests cannot be removed"))
	}
	if lost(now.Limits, old.Limits) {
		errs = append(errs, field.Forbidden(path.Child("limits"), "resource limits cannot be removed"))
	}
	return errs
}

// undoResize takes processors and memory from old.
func undoResize(r, old *corev1.ResourceRequirements) {
	undo := func(now, old corev1.ResourceList) corev1.ResourceList {
		if old == nil {
			return nil
		}
		out := corev1.ResourceList{}
		for name, value := range now {
			if !isCPUOrMemory(name) {
				out[name] = value
			}
		}
		for name, value := range old {
			if isCPUOrMemory(name) {
				out[name] = value
			}
		}
		return out
	}
	r.Limits, r.Requests = undo(r.Limits, old.Limits), undo(r.Requests, old.Requests)
}

// canResize is false for a pod whose node runs it but does not say with which
// resources, because it is too old to change them.
func canResize(pod *corev1.Pod) bool {
	for i := range pod.Status.ContainerStatuses {
		if s := &pod.Status.ContainerStatuses[i]; s.State.Running != nil {
			return s.Resources != nil
		}
	}
	return true
}
