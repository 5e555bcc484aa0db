// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package podresize is the admission plugin PodResizeValidator: a pod that is on a node
// grows to what the node has, and no further.
package podresize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/stoa-project/stoa/admission/boundpods"
	"github.com/stoa-project/stoa/features"
)

const (
	// PluginName is what --enable-admission-plugins calls it.
	PluginName = "PodResizeValidator"

	// What the status of a refusal names as its cause.
	causeCapacity metav1.CauseType = "NodeCapacity"
	causePlatform metav1.CauseType = "UnsupportedPlatform"
)

type plugin struct{ *boundpods.Plugin }

var _ admission.ValidationInterface = plugin{}

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) { return plugin{boundpods.New()}, nil })
}

// Validate implements admission.ValidationInterface.
func (p plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetSubresource() != "resize" {
		return nil
	}
	pod, _, err := boundpods.Changed(a)
	if pod == nil || err != nil {
		return err
	}
	node, err := p.Node(ctx, a, pod.Spec.NodeName)
	if err != nil {
		return err
	}
	if err := fits((*corev1.Pod)(pod), node); err != nil {
		return refuse(a, causeCapacity, err)
	}
	if os := node.Labels[corev1.LabelOSStable]; os != string(corev1.Linux) {
		return refuse(a, causePlatform, fmt.Errorf("pod resize is only supported on linux nodes, node %q is %q", node.Name, os))
	}
	return nil
}

// fits says of which resources a pod asks for more than its node has for pods at all.
func fits(pod *corev1.Pod, node *corev1.Node) error {
	requests := requested(pod)
	var over []string
	if want, has := requests.Cpu().MilliValue(), node.Status.Allocatable.Cpu().MilliValue(); want > has {
		over = append(over, fmt.Sprintf("cpu, requested: %d, allocatable: %d", want, has))
	}
	if want, has := requests.Memory().Value(), node.Status.Allocatable.Memory().Value(); want > has {
		over = append(over, fmt.Sprintf("memory, requested: %d, allocatable: %d", want, has))
	}
	if len(over) == 0 {
		return nil
	}
	return errors.New("Node didn't have enough allocatable resources: " + strings.Join(over, "; "))
}

// requested is what a pod asks for. The overhead of its runtime class counts where there is
// something to add it to.
func requested(pod *corev1.Pod) corev1.ResourceList {
	whole := features.Enabled(features.PodLevelResources) && resourcehelper.IsPodLevelResourcesSet(pod)
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{SkipContainerLevelResources: whole, ExcludeOverhead: true})
	for name, quantity := range requests {
		if !quantity.IsZero() {
			quantity.Add(pod.Spec.Overhead[name])
			requests[name] = quantity
		}
	}
	return requests
}

func refuse(a admission.Attributes, cause metav1.CauseType, why error) error {
	refusal := admission.NewForbidden(a, why)
	if status, ok := errors.AsType[*apierrors.StatusError](refusal); ok {
		status.ErrStatus.Details.Causes = append(status.ErrStatus.Details.Causes, metav1.StatusCause{Type: cause})
	}
	return refusal
}
