// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package features

import (
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	clientfeatures "k8s.io/client-go/features"
	"k8s.io/component-base/featuregate"
)

// GovernClients has the gates of client-go follow --feature-gates too, where they
// follow the environment otherwise. It is for a process that is the server's alone,
// and comes before the first client.
func GovernClients() {
	clientfeatures.ReplaceFeatureGates(clientGates{utilfeature.DefaultMutableFeatureGate})
}

// clientGates has the types of client-go, which takes none of component-base.
type clientGates struct {
	featuregate.MutableVersionedFeatureGate
}

func (c clientGates) Enabled(name clientfeatures.Feature) bool {
	return c.MutableVersionedFeatureGate.Enabled(featuregate.Feature(name))
}

func (c clientGates) AddVersioned(in map[clientfeatures.Feature]clientfeatures.VersionedSpecs) error {
	out := make(map[featuregate.Feature]featuregate.VersionedSpecs, len(in))
	for name, specs := range in {
		converted := make(featuregate.VersionedSpecs, 0, len(specs))
		for _, spec := range specs {
			to := featuregate.FeatureSpec{Default: spec.Default, LockToDefault: spec.LockToDefault, Version: spec.Version}
			switch spec.PreRelease {
			case clientfeatures.Alpha:
				to.PreRelease = featuregate.Alpha
			case clientfeatures.Beta:
				to.PreRelease = featuregate.Beta
			case clientfeatures.Deprecated:
				to.PreRelease = featuregate.Deprecated
			default:
				to.PreRelease = featuregate.GA
			}
			converted = append(converted, to)
		}
		out[featuregate.Feature(name)] = converted
	}
	return c.MutableVersionedFeatureGate.AddVersioned(out)
}
