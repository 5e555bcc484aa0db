// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/stoa-project/stoa/apis/defaults"
)

// SetDefaults_EndpointPort names the port "", and makes it one of TCP.
func SetDefaults_EndpointPort(obj *discoveryv1.EndpointPort) {
	defaults.Pointer(&obj.Name, "")
	defaults.Pointer(&obj.Protocol, corev1.ProtocolTCP)
}
