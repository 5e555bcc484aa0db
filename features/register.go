// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package features

import (
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	clientfeatures "k8s.io/client-go/features"
	"k8s.io/component-base/featuregate"
	logsapi "k8s.io/component-base/logs/api/v1"
)

// The gates of k8s.io/apiserver are of the process, and are complete before any
// flag is read.
func init() {
	gate := utilfeature.DefaultMutableFeatureGate
	utilruntime.Must(gate.AddVersioned(versioned()))
	utilruntime.Must(logsapi.AddFeatureGates(gate))
	utilruntime.Must(clientfeatures.AddVersionedFeaturesToExistingFeatureGates(clientGates{gate}))
}

// versioned returns the table as the registry takes it.
func versioned() map[featuregate.Feature]featuregate.VersionedSpecs {
	out := make(map[featuregate.Feature]featuregate.VersionedSpecs, len(gates))
	for name, stages := range gates {
		for _, s := range stages {
			spec := s.is
			spec.Version = utilversion.MustParse(s.since)
			out[name] = append(out[name], spec)
		}
	}
	return out
}
