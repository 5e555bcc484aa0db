// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// SetDefaults_Tenant says in the phase what nobody has written there yet.
func SetDefaults_Tenant(obj *Tenant) {
	if obj.Status.Phase != "" {
		return
	}
	switch {
	case obj.DeletionTimestamp != nil:
		obj.Status.Phase = TenantTerminating
	case obj.Spec.Suspended:
		obj.Status.Phase = TenantSuspended
	default:
		obj.Status.Phase = TenantActive
	}
}

// SetDefaults_TenantSpec leaves the network open.
func SetDefaults_TenantSpec(obj *TenantSpec) {
	if obj.NetworkIsolation == "" {
		obj.NetworkIsolation = NetworkIsolationNone
	}
}
