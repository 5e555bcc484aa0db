// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_TokenRequestSpec lets a token hold for an hour.
func SetDefaults_TokenRequestSpec(obj *authenticationv1.TokenRequestSpec) {
	const hour = 60 * 60
	defaults.Pointer(&obj.ExpirationSeconds, hour)
}
