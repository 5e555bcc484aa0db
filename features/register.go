// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package features

import (
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
)

// The gates of k8s.io/apiserver are of the process, and are complete before any
// flag is read.
func init() {
	runtime.Must(utilfeature.DefaultMutableFeatureGate.AddVersioned(versioned()))
}

// versioned returns the table as the registry takes it.
func versioned() map[featuregate.Feature]featuregate.VersionedSpecs {
	out := make(map[featuregate.Feature]featuregate.VersionedSpecs, len(gates))
	for name, stages := range gates {
		for _, s := range stages {
			spec := s.is
			spec.Version = version.MustParse(s.since)
			out[name] = append(out[name], spec)
		}
	}
	return out
}
