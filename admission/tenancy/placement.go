// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

// place adds the placement of a tenant to a pod. What contradicts it stays, and is
// refused later.
func place(pod *core.Pod, placement *tenancyv1.Placement) {
	for key, value := range placement.NodeSelector {
		if _, has := pod.Spec.NodeSelector[key]; !has {
			if pod.Spec.NodeSelector == nil {
				pod.Spec.NodeSelector = map[string]string{}
			}
			pod.Spec.NodeSelector[key] = value
		}
	}
	for _, t := range placement.Tolerations {
		if !slices.ContainsFunc(pod.Spec.Tolerations, func(own corev1.Toleration) bool { return apiequality.Semantic.DeepEqual(own, t) }) {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, t)
		}
	}
}

// placed refuses a pod that would run where the placement of its tenant does not allow
// it, or on nodes that are kept for another tenant.
func (p *plugin) placed(ctx context.Context, a admission.Attributes, tenant *tenancyv1.Tenant) error {
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return nil
	}
	var old corev1.PodSpec
	if before, ok := a.GetOldObject().(*core.Pod); ok && before != nil {
		old = before.Spec
		if apiequality.Semantic.DeepEqual(old.NodeSelector, pod.Spec.NodeSelector) && apiequality.Semantic.DeepEqual(old.Tolerations, pod.Spec.Tolerations) {
			return nil // it was there before the placement
		}
	}
	for _, key := range slices.Sorted(maps.Keys(tenant.Spec.Placement.NodeSelector)) {
		want := tenant.Spec.Placement.NodeSelector[key]
		if got := pod.Spec.NodeSelector[key]; got != want {
			return admission.NewForbidden(a, fmt.Errorf("spec.nodeSelector[%s]: pods of tenant %q run on nodes with %s=%s, not %q", key, tenant.Name, key, want, got))
		}
	}
	if err := p.onNode(ctx, a, pod, tenant); err != nil {
		return err
	}
	for i, t := range pod.Spec.Tolerations {
		if slices.ContainsFunc(old.Tolerations, func(o corev1.Toleration) bool { return apiequality.Semantic.DeepEqual(o, t) }) || slices.Contains(conditions(), t.Key) {
			continue
		}
		if kept, err := p.kept(tenant, t); err != nil {
			return err
		} else if kept {
			return admission.NewForbidden(a, fmt.Errorf("spec.tolerations[%d]: tolerates a taint of the nodes that are kept for another tenant", i))
		}
	}
	return nil
}

// onNode refuses a pod that names a node on which the tenant may not run: that would go
// round the scheduler, and round the taints of the node with it.
func (p *plugin) onNode(ctx context.Context, a admission.Attributes, pod *core.Pod, tenant *tenancyv1.Tenant) error {
	if a.GetOperation() != admission.Create || pod.Spec.NodeName == "" {
		return nil
	}
	all, err := p.tenants.Lister.List(labels.Everything())
	if err != nil {
		return err
	}
	placed := slices.ContainsFunc(all, func(t *tenancyv1.Tenant) bool {
		return len(t.Spec.Placement.NodeSelector)+len(t.Spec.Placement.Tolerations) > 0
	})
	if !placed {
		return nil
	}
	node, err := p.tenants.NamespacesClient.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return admission.NewForbidden(a, notForTenant(pod))
	}
	if err != nil {
		return admission.NewForbidden(a, fmt.Errorf("spec.nodeName: %w", err))
	}
	if want := labels.Set(tenant.Spec.Placement.NodeSelector); !want.AsSelector().Matches(labels.Set(node.Labels)) {
		return admission.NewForbidden(a, fmt.Errorf("spec.nodeName: pods of tenant %q run on nodes with %s, which %q is not", tenant.Name, want, node.Name))
	}
	for _, t := range node.Spec.Taints {
		needs := corev1.Toleration{Key: t.Key, Operator: corev1.TolerationOpEqual, Value: t.Value, Effect: t.Effect}
		if kept, err := p.kept(tenant, needs); err != nil {
			return err
		} else if kept {
			return admission.NewForbidden(a, notForTenant(pod))
		}
	}
	return nil
}

// notForTenant is the same for a node of others and for none.
func notForTenant(pod *core.Pod) error {
	return fmt.Errorf("spec.nodeName: %q is kept for another tenant, or is no node", pod.Spec.NodeName)
}

// conditions are the taints by which Kubernetes says how a node is. They keep it for nobody.
func conditions() []string {
	return []string{
		corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeUnschedulable, corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure,
		corev1.TaintNodeNetworkUnavailable, corev1.TaintNodePIDPressure, corev1.TaintNodeOutOfService,
	}
}

// kept says whether a toleration opens nodes that are kept for another tenant, and not
// for the pod's own too. Which one is not told: tenants need not know each other.
func (p *plugin) kept(own *tenancyv1.Tenant, t corev1.Toleration) (bool, error) {
	all, err := p.tenants.Lister.List(labels.Everything())
	if err != nil {
		return false, err
	}
	for _, other := range all {
		if other.Name == own.Name {
			continue
		}
		for _, theirs := range other.Spec.Placement.Tolerations {
			if opens(t, theirs) && !slices.ContainsFunc(own.Spec.Placement.Tolerations, func(o corev1.Toleration) bool { return opens(o, theirs) }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// opens says whether a toleration tolerates a taint that another one is for.
func opens(t, kept corev1.Toleration) bool {
	exists := func(t corev1.Toleration) bool { return t.Operator == corev1.TolerationOpExists }
	return (t.Key == "" && exists(t) || t.Key == kept.Key) &&
		(t.Effect == "" || kept.Effect == "" || t.Effect == kept.Effect) &&
		(exists(t) || exists(kept) || t.Value == kept.Value)
}
