// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/apis/resource/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// resourceClaims returns the kind ResourceClaim.
func resourceClaims() kind.Kind {
	return kind.New(kind.Definition[resource.ResourceClaim]{
		Kind: "ResourceClaim", Plural: "resourceclaims",
		Spec:                kind.PartOf(func(r *resource.ResourceClaim) *resourcev1.ResourceClaimSpec { return &r.Spec }),
		Status:              kind.PartOf(func(r *resource.ResourceClaim) *resourcev1.ResourceClaimStatus { return &r.Status }),
		NoGeneration:        true, // as in Kubernetes, here and in the next two
		UnconditionalUpdate: true,
		ReturnsDeleted:      true,
		StrategyFor:         resourceClaimStrategy,
		Columns: []kind.Column[resource.ResourceClaim]{
			kind.Name[resource.ResourceClaim](),
			{Name: "State", Description: "A summary of the current state (allocated, pending, reserved, etc.).",
				Value: func(r *resource.ResourceClaim) any { return claimState(r) }},
			kind.Age[resource.ResourceClaim](),
		},
	})
}

func resourceClaimStrategy(server kind.Server) (kind.Strategy[resource.ResourceClaim], error) {
	admins, err := newAdministrators(server)
	if err != nil {
		return kind.Strategy[resource.ResourceClaim]{}, err
	}
	return kind.Strategy[resource.ResourceClaim]{
		Prepare: func(_ context.Context, obj, old *resource.ResourceClaim) {
			var before *resourcev1.DeviceClaim
			if old != nil {
				before = &old.Spec.Devices
			}
			dropClaimFields(&obj.Spec.Devices, before)
		},
		Validate: func(ctx context.Context, obj *resource.ResourceClaim) field.ErrorList {
			return append(admins.validateRequests(ctx, obj.Namespace, obj.Spec.Devices.Requests),
				validation.ValidateResourceClaim((*resourcev1.ResourceClaim)(obj))...)
		},
		// A tag says that spec may not change, and one that is stored is valid.
		ValidateUpdate: func(context.Context, *resource.ResourceClaim, *resource.ResourceClaim) field.ErrorList { return nil },
		PrepareStatus: func(_ context.Context, obj, old *resource.ResourceClaim) {
			dropDeallocated(&obj.Status, &old.Status)
			dropStatusFields(&obj.Status, &old.Status)
		},
		ValidateStatus: func(ctx context.Context, obj, old *resource.ResourceClaim) field.ErrorList {
			return append(admins.validateResults(ctx, obj.Namespace, &obj.Status, &old.Status),
				validation.ValidateResourceClaimStatus((*resourcev1.ResourceClaim)(obj), (*resourcev1.ResourceClaim)(old))...)
		},
	}, nil
}

func claimState(r *resource.ResourceClaim) string {
	var states []string
	if r.DeletionTimestamp != nil {
		states = append(states, "deleted")
	}
	switch {
	case r.Status.Allocation == nil:
		if r.DeletionTimestamp == nil {
			states = append(states, "pending")
		}
	case len(r.Status.ReservedFor) > 0:
		states = append(states, "allocated", "reserved")
	default:
		states = append(states, "allocated")
	}
	return strings.Join(states, ",")
}

// dropDeallocated forgets what drivers said of devices that the claim has no more.
func dropDeallocated(status, old *resourcev1.ResourceClaimStatus) {
	type device struct{ driver, pool, name, share string }
	gone := map[device]bool{}
	if old.Allocation != nil {
		for _, r := range old.Allocation.Devices.Results {
			gone[device{r.Driver, r.Pool, r.Device, string(ptr.Deref(r.ShareID, ""))}] = true
		}
	}
	if status.Allocation != nil {
		for _, r := range status.Allocation.Devices.Results {
			delete(gone, device{r.Driver, r.Pool, r.Device, string(ptr.Deref(r.ShareID, ""))})
		}
	}
	status.Devices = slices.DeleteFunc(slices.Clone(status.Devices), func(d resourcev1.AllocatedDeviceStatus) bool {
		return gone[device{d.Driver, d.Pool, d.Device, ptr.Deref(d.ShareID, "")}]
	})
	if len(status.Devices) == 0 {
		status.Devices = nil
	}
}
