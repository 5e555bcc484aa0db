// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/kind"
)

// Nodes returns the kind Node.
func Nodes() kind.Kind {
	return kind.New(kind.Definition[core.Node]{
		Kind: "Node", Plural: "nodes", ShortNames: []string{"no"},
		ClusterScoped:       true,
		Prefix:              "minions", // as in Kubernetes
		Spec:                kind.PartOf(func(n *core.Node) *corev1.NodeSpec { return &n.Spec }),
		Status:              kind.PartOf(func(n *core.Node) *corev1.NodeStatus { return &n.Status }),
		StatusOnCreate:      true, // a kubelet registers with it
		StatusMetadata:      true, // as in Kubernetes, here and in the next two
		NoGeneration:        true,
		UnconditionalUpdate: true,
		Strategy: kind.Strategy[core.Node]{
			Prepare:       prepareNode,
			PrepareStatus: prepareNodeStatus,
			Validate: func(_ context.Context, obj *core.Node) field.ErrorList {
				return validation.ValidateNode((*corev1.Node)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *core.Node) field.ErrorList {
				return validation.ValidateNodeUpdate((*corev1.Node)(obj), (*corev1.Node)(old))
			},
			ValidateStatus: func(_ context.Context, obj, old *core.Node) field.ErrorList {
				return validation.ValidateNodeStatus((*corev1.Node)(obj), (*corev1.Node)(old))
			},
			Warnings: func(_ context.Context, obj, _ *core.Node) []string {
				return validation.WarningsOnNode((*corev1.Node)(obj))
			},
		},
		Columns: nodeColumns(),
		Fields: []kind.Field[core.Node]{
			{Path: "spec.unschedulable", Value: func(n *core.Node) string { return strconv.FormatBool(n.Spec.Unschedulable) }},
		},
	})
}

// prepareNode drops fields of features that are off or gone, unless old has them.
func prepareNode(_ context.Context, obj, old *core.Node) {
	if old == nil {
		old = &core.Node{}
		obj.Status.Config = nil
	}
	if old.Spec.ConfigSource == nil { //nolint:staticcheck // old objects have it
		obj.Spec.ConfigSource = nil //nolint:staticcheck // old clients send it
	}
	if old.Spec.PodPreemptionPolicy == nil && !features.Enabled(features.InPlacePodVerticalScalingSchedulerPreemption) {
		obj.Spec.PodPreemptionPolicy = nil
	}
}

func prepareNodeStatus(_ context.Context, obj, old *core.Node) {
	if old.Status.Config == nil {
		obj.Status.Config = nil
	}
}

func nodeColumns() []kind.Column[core.Node] {
	orUnknown := func(text string) any {
		if text == "" {
			return "<unknown>"
		}
		return text
	}
	return []kind.Column[core.Node]{
		kind.Name[core.Node](),
		{Name: "Status", Description: "The status of the node", Value: func(n *core.Node) any { return nodeStatus(n) }},
		{Name: "Roles", Description: "The roles of the node", Value: func(n *core.Node) any { return nodeRoles(n) }},
		kind.Age[core.Node](),
		{Name: "Version", Description: corev1.NodeSystemInfo{}.SwaggerDoc()["kubeletVersion"],
			Value: func(n *core.Node) any { return n.Status.NodeInfo.KubeletVersion }},
		{Name: "Internal-IP", Wide: true, Description: corev1.NodeStatus{}.SwaggerDoc()["addresses"],
			Value: func(n *core.Node) any { return nodeAddress(n, corev1.NodeInternalIP) }},
		{Name: "External-IP", Wide: true, Description: corev1.NodeStatus{}.SwaggerDoc()["addresses"],
			Value: func(n *core.Node) any { return nodeAddress(n, corev1.NodeExternalIP) }},
		{Name: "OS-Image", Wide: true, Description: corev1.NodeSystemInfo{}.SwaggerDoc()["osImage"],
			Value: func(n *core.Node) any { return orUnknown(n.Status.NodeInfo.OSImage) }},
		{Name: "Kernel-Version", Wide: true, Description: corev1.NodeSystemInfo{}.SwaggerDoc()["kernelVersion"],
			Value: func(n *core.Node) any {
				info := &n.Status.NodeInfo
				if info.KernelVersion != "" && info.Architecture != "" {
					return fmt.Sprintf("%s (%s)", info.KernelVersion, info.Architecture)
				}
				return orUnknown(info.KernelVersion)
			}},
		{Name: "Container-Runtime", Wide: true, Description: corev1.NodeSystemInfo{}.SwaggerDoc()["containerRuntimeVersion"],
			Value: func(n *core.Node) any { return orUnknown(n.Status.NodeInfo.ContainerRuntimeVersion) }},
	}
}

// nodeStatus is what the condition Ready says, and whether pods are scheduled.
func nodeStatus(n *core.Node) string {
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		status = "NotReady"
		if c.Status == corev1.ConditionTrue {
			status = "Ready"
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	return status
}

// nodeRoles are those that labels name, in one of two ways.
func nodeRoles(n *core.Node) string {
	var roles []string
	for label, value := range n.Labels {
		if role, ok := strings.CutPrefix(label, "node-role.kubernetes.io/"); ok && role != "" {
			roles = append(roles, role)
		} else if label == "kubernetes.io/role" && value != "" {
			roles = append(roles, value)
		}
	}
	if len(roles) == 0 {
		return "<none>"
	}
	slices.Sort(roles)
	return strings.Join(slices.Compact(roles), ",")
}

func nodeAddress(n *core.Node, kind corev1.NodeAddressType) string {
	for _, address := range n.Status.Addresses {
		if address.Type == kind {
			return address.Address
		}
	}
	return "<none>"
}
