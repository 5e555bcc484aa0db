// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

// SetDefaults_GrantStatus makes a grant pending until it was looked at.
func SetDefaults_GrantStatus(obj *GrantStatus) {
	if obj.Phase == "" {
		obj.Phase = GrantPending
	}
}
