// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
	"k8s.io/client-go/kubernetes"

	hub "github.com/stoa-project/stoa/apis/resource"
)

// Devices reads what the usage of a claim for devices depends on, at the API: there are
// few such claims, and none for most quotas.
type Devices struct {
	Client kubernetes.Interface
	// Done ends reads.
	Done <-chan struct{}
}

// resourceClaims counts claims for devices, and the devices of each class. Those of a
// class that stands for an extended resource count as that too, unless the pod for
// which the scheduler made the claim has been charged for them.
func resourceClaims(devices *Devices, list generic.ListFuncByNamespace) quota.Evaluator {
	return &evaluator{
		resource: hub.Resource("resourceclaims"), list: list,
		handles: func(a admission.Attributes) bool {
			return a.GetSubresource() == "" && (a.GetOperation() == admission.Create || a.GetOperation() == admission.Update)
		},
		limits: func(name corev1.ResourceName) bool {
			if name == counted(hub.GroupName, "resourceclaims") || strings.HasSuffix(string(name), corev1.ResourceClaimsPerClass) {
				return true
			}
			return requestsExtended(name) && devices.standFor(name)
		},
		usage: func(obj runtime.Object) (corev1.ResourceList, error) {
			switch claim := obj.(type) {
			case *resourcev1.ResourceClaim:
				return devices.usage(claim)
			case *hub.ResourceClaim:
				return devices.usage((*resourcev1.ResourceClaim)(claim))
			}
			return nil, fmt.Errorf("expect %T or %T, got %T", &resourcev1.ResourceClaim{}, &hub.ResourceClaim{}, obj)
		},
	}
}

// usage is what a claim uses.
func (d *Devices) usage(claim *resourcev1.ResourceClaim) (corev1.ResourceList, error) {
	perClass := claimed(claim)
	out := corev1.ResourceList{counted(hub.GroupName, "resourceclaims"): number(1)}
	for class, n := range perClass {
		out[corev1.ResourceName(class+corev1.ResourceClaimsPerClass)] = n
	}
	if len(perClass) == 0 {
		return out, nil
	}
	extended, err := d.classes()
	if err != nil {
		return nil, err
	}
	charged := d.chargedToPod(claim)
	add := func(name corev1.ResourceName, n resource.Quantity) {
		n = n.DeepCopy()
		n.Sub(charged[name])
		if n.Sign() > 0 {
			out[name] = n
		}
	}
	for class, n := range perClass {
		add(corev1.ResourceName(corev1.ResourceImplicitExtendedClaimsPerClass+class), n)
		if name := extended[class]; name != "" {
			add(corev1.ResourceName(corev1.DefaultResourceRequestsPrefix+name), n)
		}
	}
	return out, nil
}

// claimed is how many devices of each class a claim gets at most.
func claimed(claim *resourcev1.ResourceClaim) map[string]resource.Quantity {
	count := func(mode resourcev1.DeviceAllocationMode, n int64) resource.Quantity {
		switch mode {
		case resourcev1.DeviceAllocationModeExactCount:
		case resourcev1.DeviceAllocationModeAll:
			n = resourcev1.AllocationResultsMaxSize
		default: // of a later version
			n = 0
		}
		return *resource.NewQuantity(n, resource.DecimalSI)
	}
	out := map[string]resource.Quantity{}
	for i := range claim.Spec.Devices.Requests {
		request := &claim.Spec.Devices.Requests[i]
		most := map[string]resource.Quantity{}
		if exactly := request.Exactly; exactly != nil {
			most[exactly.DeviceClassName] = count(exactly.AllocationMode, exactly.Count)
		}
		for j := range request.FirstAvailable { // one of them is allocated
			sub := &request.FirstAvailable[j]
			if n := count(sub.AllocationMode, sub.Count); n.Cmp(most[sub.DeviceClassName]) > 0 {
				most[sub.DeviceClassName] = n
			}
		}
		for class, n := range most {
			n.Add(out[class])
			out[class] = n
		}
	}
	return out
}

// standFor says whether the name in a quota is of devices of a class.
func (d *Devices) standFor(name corev1.ResourceName) bool {
	classes, err := d.classes()
	if err != nil {
		return false
	}
	if class, ok := strings.CutPrefix(string(name), corev1.ResourceImplicitExtendedClaimsPerClass); ok {
		return classes[class] != ""
	}
	for _, extended := range classes {
		if corev1.DefaultResourceRequestsPrefix+extended == string(name) {
			return true
		}
	}
	return false
}

// classes are the names of the extended resources for which device classes stand, or
// nothing.
func (d *Devices) classes() (map[string]string, error) {
	if d == nil {
		return nil, nil
	}
	list, err := d.Client.ResourceV1().DeviceClasses().List(wait.ContextForChannel(d.Done), metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list device classes: %w", err)
	}
	out := map[string]string{}
	for i := range list.Items {
		if name := list.Items[i].Spec.ExtendedResourceName; name != nil {
			out[list.Items[i].Name] = *name
		}
	}
	return out, nil
}

// chargedToPod is what has been charged for the pod for which the scheduler made a
// claim; nothing if the claim is none of these, or not the first of the pod.
func (d *Devices) chargedToPod(claim *resourcev1.ResourceClaim) corev1.ResourceList {
	owner := scheduledFor(claim)
	if d == nil || owner == nil {
		return nil
	}
	ctx := wait.ContextForChannel(d.Done)
	pod, err := d.Client.CoreV1().Pods(claim.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
	if err != nil || pod.UID != owner.UID {
		return nil
	}
	if status := pod.Status.ExtendedResourceClaimStatus; status != nil {
		if status.ResourceClaimName != claim.Name {
			return nil
		}
	} else if !d.isFirst(claim, owner) {
		return nil
	}
	out, err := podUsage(pod)
	if err != nil {
		return nil
	}
	return out
}

// isFirst says that no claim was made for the pod before this one.
func (d *Devices) isFirst(claim *resourcev1.ResourceClaim, owner *metav1.OwnerReference) bool {
	list, err := d.Client.ResourceV1().ResourceClaims(claim.Namespace).List(wait.ContextForChannel(d.Done), metav1.ListOptions{})
	if err != nil {
		return false
	}
	for i := range list.Items {
		other := &list.Items[i]
		if of := scheduledFor(other); of == nil || of.UID != owner.UID {
			continue
		}
		switch other.CreationTimestamp.Compare(claim.CreationTimestamp.Time) {
		case -1:
			return false
		case 0:
			if other.Name < claim.Name {
				return false
			}
		}
	}
	return true
}

// scheduledFor is the pod for whose extended resources the scheduler made a claim.
func scheduledFor(claim *resourcev1.ResourceClaim) *metav1.OwnerReference {
	if claim.Annotations[resourcev1.ExtendedResourceClaimAnnotation] != "true" {
		return nil
	}
	owner := metav1.GetControllerOfNoCopy(claim)
	if owner == nil || owner.Kind != "Pod" || owner.APIVersion != "v1" {
		return nil
	}
	return owner
}
