// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package noderestriction

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
)

// admitNode keeps a node from what draws pods to it that are not meant for it, and from
// what has others delete it.
func admitNode(r *request) error {
	if r.GetName() != r.node {
		return r.refuse("node %q is not allowed to modify node %q", r.node, r.GetName())
	}
	switch r.GetOperation() {
	case admission.Create:
		created, err := as[*core.Node](r, r.GetObject())
		if err != nil {
			return err
		}
		if configSource(created) != nil {
			return r.refuse("node %q is not allowed to create pods with a non-nil configSource", r.node)
		}
		if labels := reserved(created.Labels, nil); len(labels) > 0 {
			return r.refuse("node %q is not allowed to set the following labels: %s", r.node, strings.Join(labels, ", "))
		}
	case admission.Update:
		updated, err := as[*core.Node](r, r.GetObject())
		if err != nil {
			return err
		}
		old, err := as[*core.Node](r, r.GetOldObject())
		if err != nil {
			return err
		}
		return admitNodeUpdate(r, updated, old)
	}
	return nil
}

func admitNodeUpdate(r *request, updated, old *core.Node) error {
	same := apiequality.Semantic.DeepEqual
	// Old kubelets drop the source, which is no harm.
	if configSource(updated) != nil && !same(configSource(updated), configSource(old)) {
		return r.refuse("node %q is not allowed to update configSource to a new non-nil configSource", r.node)
	}
	if !same(updated.Spec.Taints, old.Spec.Taints) {
		return r.refuse("node %q is not allowed to modify taints", r.node)
	}
	if !same(updated.OwnerReferences, old.OwnerReferences) {
		return r.refuse("node %q is not allowed to modify ownerReferences", r.node)
	}
	if labels := reserved(updated.Labels, old.Labels); len(labels) > 0 {
		return r.refuse("is not allowed to modify labels: %s", strings.Join(labels, ", "))
	}
	return nil
}

func configSource(n *core.Node) *corev1.NodeConfigSource {
	return n.Spec.ConfigSource //nolint:staticcheck // kubelets no longer follow it, but it is stored
}

// reserved are the keys of the labels that differ and that a node may not set, in order.
func reserved(a, b map[string]string) []string {
	var out []string
	look := func(from, to map[string]string) {
		for key, value := range from {
			if other, ok := to[key]; (!ok || other != value) && isReserved(key) {
				out = append(out, key)
			}
		}
	}
	look(a, b)
	look(b, a)
	slices.Sort(out)
	return slices.Compact(out)
}

// isReserved says whether a label is not for kubelets: those of the prefix
// node-restriction.kubernetes.io, and those of Kubernetes but for some.
func isReserved(key string) bool {
	prefix, _, found := strings.Cut(key, "/")
	if !found {
		return false
	}
	in := func(domain string) bool { return prefix == domain || strings.HasSuffix(prefix, "."+domain) }
	switch {
	case in(corev1.LabelNamespaceNodeRestriction):
		return true
	case !in("kubernetes.io") && !in("k8s.io"), in(corev1.LabelNamespaceSuffixKubelet), in(corev1.LabelNamespaceSuffixNode):
		return false
	}
	switch key {
	case corev1.LabelHostname, corev1.LabelOSStable, corev1.LabelArchStable, "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
		corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaZone, corev1.LabelFailureDomainBetaRegion,
		corev1.LabelInstanceType:
		return false
	}
	return true
}
