// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	gardenv1 "consumer.example/garden/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/stoa-project/stoa/registry/kind"
)

const groupName = "garden.example.com"

// install registers hub and version, and defaults. A group with several versions
// has conversion-gen write the conversions.
func install(scheme *runtime.Scheme) {
	v1 := schema.GroupVersion{Group: groupName, Version: "v1"}
	kind.Install[Plant, PlantList, gardenv1.Plant, gardenv1.PlantList](scheme, v1)
	utilruntime.Must(scheme.SetVersionPriority(v1))
	scheme.AddTypeDefaultingFunc(&gardenv1.Plant{}, func(obj any) {
		if spec := &obj.(*gardenv1.Plant).Spec; spec.WaterEveryDays == 0 {
			spec.WaterEveryDays = 3
		}
	})
}
