// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package features

import (
	"testing"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
)

// A command line of kube-apiserver names gates of all components.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	gate := utilfeature.DefaultMutableFeatureGate.DeepCopy()
	if err := gate.Set("NodeSwap=true,DRAListTypeAttributes=true,HPAScaleToZero=false,ImageVolume=true," +
		"ContextualLogging=false,ClientsPreferCBOR=true"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[featuregate.Feature]bool{
		DRAListTypeAttributes:        true,
		HPAScaleToZero:               false,
		DRADerivedAttributes:         false,
		RelaxedServiceNameValidation: true,
		"ContextualLogging":          false, // of component-base
		"ClientsPreferCBOR":          true,  // of client-go
	} {
		if got := gate.Enabled(name); got != want {
			t.Errorf("%s is %t", name, got)
		}
	}
	if err := gate.Set("NodeSwap=false"); err == nil {
		t.Error("a locked gate can be switched off")
	}
	if err := gate.Set("NoSuchGate=true"); err == nil {
		t.Error("an unknown gate is taken")
	}
}
