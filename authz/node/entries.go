// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/stoa-project/stoa/apis/core/references"
)

// ofNode is what an object says that names a node: the node may read it.
func ofNode(o id, node string) *entry {
	e := &entry{object: o}
	if node != "" {
		e.holder = idOf(nodes, "", node)
		e.grant(o)
	}
	return e
}

func ofPod(pod *corev1.Pod) *entry {
	e := ofNode(idOf(pods, pod.Namespace, pod.Name), pod.Spec.NodeName)
	// A node makes mirror pods by itself, and must not get rights by that.
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror || pod.Spec.NodeName == "" {
		return e
	}
	grant := func(k kind, name string) {
		if name != "" {
			e.grant(idOf(k, pod.Namespace, name))
		}
	}
	grant(serviceAccounts, pod.Spec.ServiceAccountName)
	for _, name := range references.Secrets(&pod.Spec) {
		grant(secrets, name)
	}
	for _, name := range references.ConfigMaps(&pod.Spec) {
		grant(configMaps, name)
	}
	for i := range pod.Spec.Volumes {
		grant(claims, references.Claim(pod.Name, &pod.Spec.Volumes[i]))
	}
	for _, c := range pod.Spec.ResourceClaims {
		grant(resourceClaims, resourceClaimOf(pod, &c))
	}
	if extended := pod.Status.ExtendedResourceClaimStatus; extended != nil {
		grant(resourceClaims, extended.ResourceClaimName)
	}
	return e
}

// resourceClaimOf returns the name of a claim. That of a generated one is in the status
// once it is there.
func resourceClaimOf(pod *corev1.Pod, c *corev1.PodResourceClaim) string {
	if c.ResourceClaimName != nil {
		return *c.ResourceClaimName
	}
	for _, status := range pod.Status.ResourceClaimStatuses {
		if status.Name == c.Name && status.ResourceClaimName != nil {
			return *status.ResourceClaimName
		}
	}
	return ""
}

func ofVolume(v *corev1.PersistentVolume) *entry {
	e := &entry{object: idOf(volumes, "", v.Name)}
	if v.Spec.ClaimRef == nil {
		return e
	}
	e.holder = idOf(claims, v.Spec.ClaimRef.Namespace, v.Spec.ClaimRef.Name)
	e.grant(e.object)
	for _, ref := range references.NodeSecrets(&v.Spec) {
		e.grant(idOf(secrets, ref.Namespace, ref.Name))
	}
	return e
}

func ofAttachment(a *storagev1.VolumeAttachment) *entry {
	return ofNode(idOf(attachments, "", a.Name), a.Spec.NodeName)
}

func ofSlice(s *resourcev1.ResourceSlice) *entry {
	node := ""
	if s.Spec.NodeName != nil {
		node = *s.Spec.NodeName
	}
	return ofNode(idOf(slicesOfNodes, "", s.Name), node)
}

func ofCertificateRequest(r *certificatesv1.PodCertificateRequest) *entry {
	return ofNode(idOf(certificateRequests, r.Namespace, r.Name), string(r.Spec.NodeName))
}
