// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/registry/kind"
)

// administrators knows which namespaces may use devices that others use. It is a
// label of the namespace, so those decide who may label namespaces.
type administrators struct {
	// namespaces is nil if there is no way to them.
	namespaces corev1client.NamespacesGetter
}

// newAdministrators finds the way to the namespaces, which are of another group.
func newAdministrators(server kind.Server) (*administrators, error) {
	if server.Loopback == nil {
		return &administrators{}, nil
	}
	client, err := corev1client.NewForConfig(server.Loopback)
	if err != nil {
		return nil, fmt.Errorf("client for namespaces: %w", err)
	}
	return &administrators{client}, nil
}

// validateRequests refuses admin access where it is not allowed. The path is the
// same in claims and templates.
func (a *administrators) validateRequests(ctx context.Context, namespace string, requests []resourcev1.DeviceRequest) field.ErrorList {
	for i := range requests {
		if exactly := requests[i].Exactly; exactly != nil && ptr.Deref(exactly.AdminAccess, false) {
			return a.allowed(ctx, namespace, field.NewPath("spec", "devices", "requests").Index(i).Child("adminAccess"))
		}
	}
	return nil
}

// validateResults does the same for devices that are allocated now.
func (a *administrators) validateResults(ctx context.Context, namespace string, status, old *resourcev1.ResourceClaimStatus) field.ErrorList {
	granted := func(s *resourcev1.ResourceClaimStatus) int {
		if s.Allocation != nil {
			for i, r := range s.Allocation.Devices.Results {
				if ptr.Deref(r.AdminAccess, false) {
					return i
				}
			}
		}
		return -1
	}
	i := granted(status)
	if i < 0 || granted(old) >= 0 {
		return nil
	}
	return a.allowed(ctx, namespace, field.NewPath("status", "allocation", "devices", "results").Index(i).Child("adminAccess"))
}

func (a *administrators) allowed(ctx context.Context, namespace string, path *field.Path) field.ErrorList {
	if a.namespaces == nil {
		return nil
	}
	found, err := a.namespaces.Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return field.ErrorList{field.InternalError(path, fmt.Errorf("could not retrieve namespace to verify admin access: %w", err))}
	}
	if found.Labels[resourcev1.DRAAdminNamespaceLabelKey] != "true" {
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("admin access to devices requires the `%s: true` label on the containing namespace", resourcev1.DRAAdminNamespaceLabelKey))}
	}
	return nil
}
