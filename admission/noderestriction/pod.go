// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package noderestriction

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/references"
	"github.com/stoa-project/stoa/apis/policy"
)

func (p *plugin) admitPods(ctx context.Context, r *request) error {
	switch r.GetSubresource() {
	case "":
		return p.admitPod(ctx, r)
	case "status":
		return admitPodStatus(r)
	case "eviction":
		return p.admitEviction(ctx, r)
	}
	return r.refuse("unexpected pod subresource %q, only 'status' and 'eviction' are allowed", r.GetSubresource())
}

func (p *plugin) admitPod(ctx context.Context, r *request) error {
	switch r.GetOperation() {
	case admission.Create:
		return p.admitMirror(ctx, r)
	case admission.Delete:
		pod, err := as[*core.Pod](r, r.GetOldObject())
		if err != nil {
			return err
		}
		if pod.Spec.NodeName != r.node {
			return r.refuse("node %q can only delete pods with spec.nodeName set to itself", r.node)
		}
		return nil
	}
	return r.refuse("unexpected operation %q, node %q can only create and delete mirror pods", r.GetOperation(), r.node)
}

// admitMirror admits a new pod that shows one of a file, and gives the node no access to
// anything.
func (p *plugin) admitMirror(ctx context.Context, r *request) error {
	pod, err := as[*core.Pod](r, r.GetObject())
	if err != nil {
		return err
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; !mirror {
		return r.refuse("pod does not have %q annotation, node %q can only create mirror pods", corev1.MirrorPodAnnotationKey, r.node)
	}
	if pod.Spec.NodeName != r.node {
		return r.refuse("node %q can only create pods with spec.nodeName set to itself", r.node)
	}
	if err := p.admitOwner(ctx, r, pod.OwnerReferences); err != nil {
		return err
	}
	resource, err := firstReference(&pod.Spec)
	if err != nil {
		return r.refuse("error checking mirror pod for API references: %w", err)
	}
	if resource != "" {
		return r.refuse("node %q can not create pods that reference %s", r.node, resource)
	}
	return nil
}

// admitOwner wants the node as the only owner.
func (p *plugin) admitOwner(ctx context.Context, r *request, owners []metav1.OwnerReference) error {
	if len(owners) > 1 {
		return r.refuse("node %q can only create pods with a single owner reference set to itself", r.node)
	}
	if len(owners) == 0 || owners[0].APIVersion != "v1" || owners[0].Kind != "Node" || owners[0].Name != r.node {
		return r.refuse("node %q can only create pods with an owner reference set to itself", r.node)
	}
	owner := owners[0]
	if owner.Controller == nil || !*owner.Controller {
		return r.refuse("node %q can only create pods with a controller owner reference set to itself", r.node)
	}
	if owner.BlockOwnerDeletion != nil && *owner.BlockOwnerDeletion {
		return r.refuse("node %q must not set blockOwnerDeletion on an owner reference", r.node)
	}
	self, err := p.client.CoreV1().Nodes().Get(ctx, r.node, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return err
	case err != nil:
		return r.refuse("error looking up node %s to verify uid: %w", r.node, err)
	}
	if owner.UID != self.UID {
		return r.refuse("node %s UID mismatch: expected %s got %s", r.node, owner.UID, self.UID)
	}
	return nil
}

// firstReference returns the resource of an object of the API that a pod refers to,
// empty if there is none.
func firstReference(spec *corev1.PodSpec) (string, error) {
	switch {
	case spec.ServiceAccountName != "":
		return "serviceaccounts", nil
	case len(references.Secrets(spec)) > 0:
		return "secrets", nil
	case len(references.ConfigMaps(spec)) > 0:
		return "configmaps", nil
	case len(spec.ResourceClaims) > 0:
		return "resourceclaims", nil
	}
	for i := range spec.Volumes {
		if resource, err := volumeReference(&spec.Volumes[i]); resource != "" || err != nil {
			return resource, err
		}
	}
	return "", nil
}

func volumeReference(v *corev1.Volume) (string, error) {
	switch {
	case v.ConfigMap != nil:
		return "configmaps (via configmap volumes)", nil
	case v.Secret != nil:
		return "secrets (via secret volumes)", nil
	case v.CSI != nil:
		return "csidrivers (via CSI volumes)", nil
	case v.Glusterfs != nil:
		return "endpoints (via glusterFS volumes)", nil
	case v.PersistentVolumeClaim != nil:
		return "persistentvolumeclaims", nil
	case v.Ephemeral != nil:
		return "persistentvolumeclaims (via ephemeral volumes)", nil
	case v.AzureFile != nil:
		return "secrets (via azureFile volumes)", nil
	case v.Projected != nil:
		for i := range v.Projected.Sources {
			if resource, err := projectedReference(v.Name, &v.Projected.Sources[i]); resource != "" || err != nil {
				return resource, err
			}
		}
		return "", nil
	case v.AWSElasticBlockStore != nil, v.AzureDisk != nil, v.CephFS != nil, v.Cinder != nil, v.DownwardAPI != nil, v.EmptyDir != nil,
		v.FC != nil, v.FlexVolume != nil, v.Flocker != nil, v.GCEPersistentDisk != nil, v.GitRepo != nil, v.HostPath != nil, v.Image != nil,
		v.ISCSI != nil, v.NFS != nil, v.PhotonPersistentDisk != nil, v.PortworxVolume != nil, v.Quobyte != nil, v.RBD != nil,
		v.ScaleIO != nil, v.StorageOS != nil, v.VsphereVolume != nil:
		return "", nil
	}
	// Whatever is new might refer to something.
	return "", fmt.Errorf("unknown volume type for volume  %q", v.Name)
}

func projectedReference(volume string, s *corev1.VolumeProjection) (string, error) {
	switch {
	case s.ConfigMap != nil:
		return "configmaps (via projected volumes)", nil
	case s.Secret != nil:
		return "secrets (via projected volumes)", nil
	case s.ServiceAccountToken != nil:
		return "serviceaccounts (via projected volumes)", nil
	case s.ClusterTrustBundle != nil:
		return "clustertrustbundles", nil
	case s.PodCertificate != nil:
		return "podcertificates", nil
	case s.DownwardAPI != nil:
		return "", nil
	}
	return "", fmt.Errorf("unknown source for projected volume %q", volume)
}

func admitPodStatus(r *request) error {
	if r.GetOperation() != admission.Update {
		return r.refuse("unexpected operation %q", r.GetOperation())
	}
	old, err := as[*core.Pod](r, r.GetOldObject())
	if err != nil {
		return err
	}
	if old.Spec.NodeName != r.node {
		return r.refuse("node %q can only update pod status for pods with spec.nodeName set to itself", r.node)
	}
	updated, err := as[*core.Pod](r, r.GetObject())
	if err != nil {
		return err
	}
	same := apiequality.Semantic.DeepEqual
	switch {
	case !maps.Equal(old.Labels, updated.Labels):
		return r.refuse("node %q cannot update labels through pod status", r.node)
	// These give access to claims.
	case !same(old.Status.ResourceClaimStatuses, updated.Status.ResourceClaimStatuses):
		return r.refuse("node %q cannot update resource claim statues", r.node)
	case !same(old.Status.ExtendedResourceClaimStatus, updated.Status.ExtendedResourceClaimStatus):
		return r.refuse("node %q cannot update extended resource claim status", r.node)
	}
	return nil
}

func (p *plugin) admitEviction(ctx context.Context, r *request) error {
	if r.GetOperation() != admission.Create {
		return r.refuse("unexpected operation %s", r.GetOperation())
	}
	eviction, err := as[*policy.Eviction](r, r.GetObject())
	if err != nil {
		return err
	}
	name := r.GetName()
	if name == "" {
		name = eviction.Name
	}
	if name == "" {
		return r.refuse("could not determine pod from request data")
	}
	pod, err := p.client.CoreV1().Pods(r.GetNamespace()).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return r.passOn(err)
	}
	if pod.Spec.NodeName != r.node {
		return r.refuse("node %s can only evict pods with spec.nodeName set to itself", r.node)
	}
	return nil
}

// admitClaim admits what a node reports of a volume that it has resized.
func admitClaim(r *request) error {
	if r.GetSubresource() != "status" {
		return r.refuse("may only update PVC status")
	}
	if r.GetOperation() != admission.Update {
		return r.refuse("unexpected operation %q", r.GetOperation())
	}
	old, err := as[*core.PersistentVolumeClaim](r, r.GetOldObject())
	if err != nil {
		return err
	}
	updated, err := as[*core.PersistentVolumeClaim](r, r.GetObject())
	if err != nil {
		return err
	}
	if old, updated = withoutResize(old), withoutResize(updated); !apiequality.Semantic.DeepEqual(old, updated) {
		return r.refuse("node %q is not allowed to update fields other than status.quantity and status.conditions: %v", r.node, diff.Diff(old, updated))
	}
	return nil
}

// withoutResize returns a claim without the fields that a node may change, and without
// those that change by themselves.
func withoutResize(claim *core.PersistentVolumeClaim) *core.PersistentVolumeClaim {
	out := claim.DeepCopy()
	out.ResourceVersion, out.ManagedFields = "", nil
	out.Status.Capacity, out.Status.Conditions = nil, nil
	out.Status.AllocatedResources, out.Status.AllocatedResourceStatuses = nil, nil
	return out
}
