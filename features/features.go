// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package features

import (
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
)

// The gates that code of this module asks for.
const (
	// HPAScaleToZero lets an autoscaler with object or external metrics have minReplicas 0.
	HPAScaleToZero featuregate.Feature = "HPAScaleToZero"
	// RelaxedServiceNameValidation lets the name of a service begin with a digit.
	RelaxedServiceNameValidation featuregate.Feature = "RelaxedServiceNameValidation"
	// StrictIPCIDRValidation refuses IP addresses and ranges with leading zeros and the
	// like in fields that used to take them.
	StrictIPCIDRValidation featuregate.Feature = "StrictIPCIDRValidation"
)

// Enabled says whether a gate is on in this process.
func Enabled(gate featuregate.Feature) bool { return utilfeature.DefaultFeatureGate.Enabled(gate) }
