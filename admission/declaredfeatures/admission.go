// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package declaredfeatures is the admission plugin NodeDeclaredFeatureValidator: a pod that
// is on a node changes only in ways that the node says it knows.
package declaredfeatures

import (
	"context"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/component-helpers/nodedeclaredfeatures"

	"github.com/stoa-project/stoa/admission/boundpods"
	"github.com/stoa-project/stoa/version"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "NodeDeclaredFeatureValidator"

type plugin struct {
	*boundpods.Plugin

	// version is the one for which features are demanded: later ones have some everywhere.
	version *utilversion.Version
}

var _ admission.ValidationInterface = (*plugin)(nil)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		kubernetes, err := utilversion.ParseSemantic(version.Kubernetes())
		if err != nil {
			return nil, err
		}
		return &plugin{Plugin: boundpods.New(), version: kubernetes}, nil
	})
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if path := a.GetSubresource(); path != "" && path != "resize" {
		return nil
	}
	pod, old, err := boundpods.Changed(a)
	if pod == nil || err != nil {
		return err
	}
	known := nodedeclaredfeatures.DefaultFramework
	demanded, err := known.InferForPodUpdate(about((*corev1.Pod)(old)), about((*corev1.Pod)(pod)), p.version)
	if err != nil {
		return admission.NewForbidden(a, fmt.Errorf("failed to infer pod capability requirements: %w", err))
	}
	if demanded.IsEmpty() {
		return nil
	}
	node, err := p.Node(ctx, a, pod.Spec.NodeName)
	if err != nil {
		return err
	}
	result, err := known.MatchNode(demanded, node)
	switch {
	case err != nil:
		return admission.NewForbidden(a, fmt.Errorf("failed to match pod requirements against node %q: %w", node.Name, err))
	case !result.IsMatch:
		return admission.NewForbidden(a, fmt.Errorf("pod update requires features %s which are not available on node %q", strings.Join(result.UnsatisfiedRequirements, ", "), node.Name))
	}
	return nil
}

func about(pod *corev1.Pod) *nodedeclaredfeatures.PodInfo {
	return &nodedeclaredfeatures.PodInfo{Spec: &pod.Spec, Status: &pod.Status}
}
