// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package limitranger

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/stoa-project/stoa/features"
)

// annotation says what the plugin has set in a pod.
const annotation = "kubernetes.io/limit-ranger"

// setDefaults gives containers what they do not name. The last of several defaults
// of a limit range holds.
func setDefaults(limits *corev1.LimitRange, pod *corev1.Pod) {
	requests, caps := corev1.ResourceList{}, corev1.ResourceList{}
	for i := range limits.Spec.Limits {
		if item := &limits.Spec.Limits[i]; item.Type == corev1.LimitTypeContainer {
			maps.Copy(requests, item.DefaultRequest)
			maps.Copy(caps, item.Default)
		}
	}
	var done []string
	complete := func(containers []corev1.Container, what string) {
		for i := range containers {
			c := &containers[i]
			if set := addMissing(&c.Resources.Requests, requests); set != "" {
				done = append(done, fmt.Sprintf("%s request for %s %s", set, what, c.Name))
			}
			if set := addMissing(&c.Resources.Limits, caps); set != "" {
				done = append(done, fmt.Sprintf("%s limit for %s %s", set, what, c.Name))
			}
		}
	}
	complete(pod.Spec.Containers, "container")
	complete(pod.Spec.InitContainers, "init container")
	if len(done) == 0 {
		return
	}
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[annotation] = "LimitRanger plugin set: " + strings.Join(done, "; ")
}

// addMissing adds to a list what is in another one only, and says what.
func addMissing(list *corev1.ResourceList, from corev1.ResourceList) string {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	var added []string
	for _, name := range sorted(from) {
		if _, ok := (*list)[name]; !ok {
			(*list)[name] = from[name].DeepCopy()
			added = append(added, string(name))
		}
	}
	return strings.Join(added, ", ")
}

func sorted(list corev1.ResourceList) []corev1.ResourceName { return slices.Sorted(maps.Keys(list)) }

// checkPod returns what of a pod is out of range.
func checkPod(limits *corev1.LimitRange, pod *corev1.Pod) error {
	var errs []error
	for i := range limits.Spec.Limits {
		switch item := &limits.Spec.Limits[i]; item.Type {
		case corev1.LimitTypeContainer:
			for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
				for j := range list {
					errs = append(errs, check(item, list[j].Resources.Requests, list[j].Resources.Limits)...)
				}
			}
		case corev1.LimitTypePod:
			options := resourcehelper.PodResourcesOptions{
				ExcludeOverhead:       true,
				SkipPodLevelResources: !utilfeature.DefaultFeatureGate.Enabled(features.PodLevelResources),
			}
			errs = append(errs, check(item, resourcehelper.PodRequests(pod, options), resourcehelper.PodLimits(pod, options))...)
		}
	}
	return utilerrors.NewAggregate(errs)
}

// checkClaim returns what of a claim is out of range. Claims have no limits.
func checkClaim(limits *corev1.LimitRange, claim *corev1.PersistentVolumeClaim) error {
	var errs []error
	requests := claim.Spec.Resources.Requests
	for i := range limits.Spec.Limits {
		item := &limits.Spec.Limits[i]
		if item.Type != corev1.LimitTypePersistentVolumeClaim {
			continue
		}
		for _, name := range sorted(item.Min) {
			errs = append(errs, bound{item.Type, name, item.Min[name]}.min(requests, nil))
		}
		for _, name := range sorted(item.Max) {
			errs = append(errs, bound{item.Type, name, item.Max[name]}.maxRequest(requests))
		}
	}
	return utilerrors.NewAggregate(errs)
}

// check compares what is asked for with all bounds of an item.
func check(item *corev1.LimitRangeItem, requests, limits corev1.ResourceList) []error {
	var errs []error
	for _, name := range sorted(item.Min) {
		errs = append(errs, bound{item.Type, name, item.Min[name]}.min(requests, limits))
	}
	for _, name := range sorted(item.Max) {
		errs = append(errs, bound{item.Type, name, item.Max[name]}.max(requests, limits))
	}
	for _, name := range sorted(item.MaxLimitRequestRatio) {
		errs = append(errs, bound{item.Type, name, item.MaxLimitRequestRatio[name]}.ratio(requests, limits))
	}
	return errs
}

// bound is one number of an item.
type bound struct {
	kind  corev1.LimitType
	name  corev1.ResourceName
	value resource.Quantity
}

func (b bound) min(requests, limits corev1.ResourceList) error {
	text := fmt.Sprintf("minimum %s usage per %s is %s", b.name, b.kind, b.value.String())
	request, requested := requests[b.name]
	limit, limited := limits[b.name]
	switch {
	case !requested:
		return fmt.Errorf("%s.  No request is specified", text)
	case request.Cmp(b.value) < 0:
		return fmt.Errorf("%s, but request is %s", text, request.String())
	case limited && limit.Cmp(b.value) < 0:
		return fmt.Errorf("%s, but limit is %s", text, limit.String())
	}
	return nil
}

func (b bound) max(requests, limits corev1.ResourceList) error {
	text := fmt.Sprintf("maximum %s usage per %s is %s", b.name, b.kind, b.value.String())
	request, requested := requests[b.name]
	limit, limited := limits[b.name]
	switch {
	case !limited:
		return fmt.Errorf("%s.  No limit is specified", text)
	case limit.Cmp(b.value) > 0:
		return fmt.Errorf("%s, but limit is %s", text, limit.String())
	case requested && request.Cmp(b.value) > 0:
		return fmt.Errorf("%s, but request is %s", text, request.String())
	}
	return nil
}

// maxRequest is max of what has no limits.
func (b bound) maxRequest(requests corev1.ResourceList) error {
	text := fmt.Sprintf("maximum %s usage per %s is %s", b.name, b.kind, b.value.String())
	request, requested := requests[b.name]
	switch {
	case !requested:
		return fmt.Errorf("%s.  No request is specified", text)
	case request.Cmp(b.value) > 0:
		return fmt.Errorf("%s, but request is %s", text, request.String())
	}
	return nil
}

func (b bound) ratio(requests, limits corev1.ResourceList) error {
	text := fmt.Sprintf("%s max limit to request ratio per %s is %s", b.name, b.kind, b.value.String())
	request, limit := requests[b.name], limits[b.name]
	if request.IsZero() {
		return fmt.Errorf("%s, but no request is specified or request is 0", text)
	}
	if limit.IsZero() {
		return fmt.Errorf("%s, but no limit is specified or limit is 0", text)
	}
	got := limit.AsApproximateFloat64() / request.AsApproximateFloat64()
	if exact(request) && exact(limit) {
		got = float64(limit.MilliValue()) / float64(request.MilliValue())
	}
	allowed := b.value.AsApproximateFloat64() * milli
	if exact(b.value) {
		allowed = float64(b.value.MilliValue())
	}
	if got*milli > allowed {
		return fmt.Errorf("%s, but provided ratio is %f", text, got)
	}
	return nil
}

const milli = 1000

// exact says that a quantity can be counted in thousandths.
func exact(q resource.Quantity) bool { return q.CmpInt64(resource.MaxMilliValue) <= 0 }
