// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package protection

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/references"
)

// Table returns what is protected. Names are those of kube-controller-manager.
func Table() []Protection {
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	claims := corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	volumes := corev1.SchemeGroupVersion.WithResource("persistentvolumes")
	return []Protection{
		{
			Name:     "persistentvolumeclaim-protection-controller",
			Resource: claims, Users: []schema.GroupVersionResource{pods},
			finalizer: "kubernetes.io/pvc-protection", used: claimUsed, frees: podFrees,
		},
		{
			Name:      "persistentvolume-protection-controller",
			Resource:  volumes, // which says itself whether it is bound
			finalizer: "kubernetes.io/pv-protection", used: volumeUsed,
		},
		{
			Name:     "volumeattributesclass-protection-controller",
			Resource: storagev1.SchemeGroupVersion.WithResource("volumeattributesclasses"), Users: []schema.GroupVersionResource{claims, volumes},
			finalizer: "kubernetes.io/vac-protection", used: classUsed, frees: classFreed, settle: time.Second,
		},
	}
}

// claimUsed says whether a pod of the namespace has a claim.
func claimUsed(ctx context.Context, client kubernetes.Interface, claim metav1.Object) (bool, error) {
	pods, err := client.CoreV1().Pods(claim.GetNamespace()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(pods.Items, func(pod corev1.Pod) bool { return uses(&pod, claim) }), nil
}

// uses says whether a pod has a claim. One that is on no node does not: kubelets do not
// start a pod with a claim that is deleted.
func uses(pod *corev1.Pod, claim metav1.Object) bool {
	if pod.Spec.NodeName == "" {
		return false
	}
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		if references.Claim(pod.Name, &v) != claim.GetName() {
			return false
		}
		// The claim of an ephemeral volume goes with its pod, which must not wait for it.
		return v.PersistentVolumeClaim != nil || metav1.IsControlledBy(claim, pod) && !shutDown(pod)
	})
}

// shutDown says whether the kubelet is done with a pod, or it was deleted by force.
func shutDown(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil && pod.DeletionGracePeriodSeconds != nil && *pod.DeletionGracePeriodSeconds == 0
}

// podFrees says whether a pod has had a claim and does not use it now.
func podFrees(user runtime.Object, gone bool, key string) bool {
	obj, ok := user.(*core.Pod)
	if !ok {
		return false
	}
	pod := (*corev1.Pod)(obj)
	if !gone && !shutDown(pod) && pod.Spec.NodeName != "" {
		return false
	}
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return key == pod.Namespace+"/"+references.Claim(pod.Name, &v)
	})
}

// volumeUsed says whether a volume is bound.
func volumeUsed(ctx context.Context, client kubernetes.Interface, obj metav1.Object) (bool, error) {
	volume, err := client.CoreV1().PersistentVolumes().Get(ctx, obj.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && volume.Status.Phase == corev1.VolumeBound, err
}

// classUsed says whether a volume or a claim has a class.
func classUsed(ctx context.Context, client kubernetes.Interface, class metav1.Object) (bool, error) {
	volumes, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(volumes.Items, func(v corev1.PersistentVolume) bool { return volumeHas(&v, class.GetName()) }) {
		return true, nil
	}
	claims, err := client.CoreV1().PersistentVolumeClaims("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(claims.Items, func(c corev1.PersistentVolumeClaim) bool { return claimHas(&c, class.GetName()) }), nil
}

func volumeHas(volume *corev1.PersistentVolume, class string) bool {
	return volume.Spec.VolumeAttributesClassName != nil && *volume.Spec.VolumeAttributesClassName == class
}

// claimHas says whether a claim wants a class, has it, or is on the way to it.
func claimHas(claim *corev1.PersistentVolumeClaim, class string) bool {
	for _, name := range []*string{claim.Spec.VolumeAttributesClassName, claim.Status.CurrentVolumeAttributesClassName} {
		if name != nil && *name == class {
			return true
		}
	}
	return claim.Status.ModifyVolumeStatus != nil && claim.Status.ModifyVolumeStatus.TargetVolumeAttributesClassName == class
}

// classFreed says whether a volume or a claim does not have a class now. Whether it had
// it is not known.
func classFreed(user runtime.Object, gone bool, class string) bool {
	switch obj := user.(type) {
	case *core.PersistentVolume:
		return gone || !volumeHas((*corev1.PersistentVolume)(obj), class)
	case *core.PersistentVolumeClaim:
		return gone || !claimHas((*corev1.PersistentVolumeClaim)(obj), class)
	}
	return false
}
