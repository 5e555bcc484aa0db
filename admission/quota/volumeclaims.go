// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/component-helpers/storage/volume"

	"github.com/stoa-project/stoa/apis/core"
)

// perClass is between the name of a storage class and what of it is limited.
const perClass = ".storageclass.storage.k8s.io/"

// volumeClaims counts claims and sums up their sizes, also for each storage class.
func volumeClaims(list generic.ListFuncByNamespace) quota.Evaluator {
	return &evaluator{
		resource: core.Resource("persistentvolumeclaims"), list: list,
		handles: func(a admission.Attributes) bool {
			switch a.GetSubresource() {
			case "":
				return a.GetOperation() == admission.Create || a.GetOperation() == admission.Update
			case "status":
				claim, err := volumeClaimOf(a.GetObject())
				old, errOld := volumeClaimOf(a.GetOldObject())
				return err == nil && errOld == nil && claimChanged(claim, old)
			}
			return false
		},
		limits: func(name corev1.ResourceName) bool {
			if _, what, ok := strings.Cut(string(name), perClass); ok {
				name = corev1.ResourceName(what)
			}
			return name == counted("", "persistentvolumeclaims") || name == corev1.ResourcePersistentVolumeClaims || name == corev1.ResourceRequestsStorage
		},
		inScope: func(scope corev1.ScopedResourceSelectorRequirement, obj runtime.Object) (bool, error) {
			claim, err := volumeClaimOf(obj)
			if err != nil || scope.ScopeName != corev1.ResourceQuotaScopeVolumeAttributesClass {
				return false, err
			}
			return selects(scope, sets.List(attributeClasses(claim))...)
		},
		usage: func(obj runtime.Object) (corev1.ResourceList, error) {
			claim, err := volumeClaimOf(obj)
			if err != nil {
				return nil, err
			}
			return volumeClaimUsage(claim), nil
		},
	}
}

func volumeClaimOf(obj runtime.Object) (*corev1.PersistentVolumeClaim, error) {
	switch claim := obj.(type) {
	case *corev1.PersistentVolumeClaim:
		return claim, nil
	case *core.PersistentVolumeClaim:
		return (*corev1.PersistentVolumeClaim)(claim), nil
	}
	return nil, fmt.Errorf("expect *api.PersistentVolumeClaim or *v1.PersistentVolumeClaim, got %T", obj)
}

func volumeClaimUsage(claim *corev1.PersistentVolumeClaim) corev1.ResourceList {
	out := corev1.ResourceList{
		corev1.ResourcePersistentVolumeClaims: number(1),
		counted("", "persistentvolumeclaims"): number(1),
	}
	class := volume.GetPersistentVolumeClaimClass(claim)
	if class != "" {
		out[corev1.ResourceName(class)+perClass+corev1.ResourcePersistentVolumeClaims] = number(1)
	}
	size, ok := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if !ok {
		return out
	}
	if allocated, ok := claim.Status.AllocatedResources[corev1.ResourceStorage]; ok && allocated.Cmp(size) > 0 {
		size = allocated
	}
	size = size.DeepCopy()
	size.RoundUp(0) // a quota has no half bytes
	out[corev1.ResourceRequestsStorage] = size
	if class != "" {
		out[corev1.ResourceName(class)+perClass+corev1.ResourceRequestsStorage] = size
	}
	return out
}

// claimChanged says whether a change of the status changed what a claim uses, or in
// which scope.
func claimChanged(claim, old *corev1.PersistentVolumeClaim) bool {
	return !claim.Status.AllocatedResources.Storage().Equal(*old.Status.AllocatedResources.Storage()) ||
		!attributeClasses(claim).Equal(attributeClasses(old))
}

// attributeClasses are the volume attribute classes that a claim has, had or will have.
func attributeClasses(claim *corev1.PersistentVolumeClaim) sets.Set[string] {
	out := sets.New[string]()
	for _, name := range []*string{claim.Spec.VolumeAttributesClassName, claim.Status.CurrentVolumeAttributesClassName} {
		if name != nil {
			out.Insert(*name)
		}
	}
	if modify := claim.Status.ModifyVolumeStatus; modify != nil {
		out.Insert(modify.TargetVolumeAttributesClassName)
	}
	return out.Delete("")
}
