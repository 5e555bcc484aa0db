// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	gardenv1 "consumer.example/garden/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

const groupName = "garden.example.com"

// install registers hub and version, with what turns one into the other. A group
// with several versions has conversion-gen write the conversions.
func install(scheme *runtime.Scheme) {
	v1 := schema.GroupVersion{Group: groupName, Version: "v1"}
	scheme.AddKnownTypes(schema.GroupVersion{Group: groupName, Version: runtime.APIVersionInternal}, &Plant{}, &PlantList{})
	scheme.AddKnownTypes(v1, &gardenv1.Plant{}, &gardenv1.PlantList{})
	metav1.AddToGroupVersion(scheme, v1)
	utilruntime.Must(scheme.SetVersionPriority(v1))

	convert(scheme, func(in *gardenv1.Plant, out *Plant) {
		*out = Plant(*in)
		out.TypeMeta = metav1.TypeMeta{} // the hub has no version
	})
	convert(scheme, func(in *Plant, out *gardenv1.Plant) { *out = gardenv1.Plant(*in) })
	convert(scheme, func(in *gardenv1.PlantList, out *PlantList) {
		out.ListMeta, out.Items = in.ListMeta, make([]Plant, len(in.Items))
		for i := range in.Items {
			out.Items[i] = Plant(in.Items[i])
		}
	})
	convert(scheme, func(in *PlantList, out *gardenv1.PlantList) {
		out.ListMeta, out.Items = in.ListMeta, make([]gardenv1.Plant, len(in.Items))
		for i := range in.Items {
			out.Items[i] = gardenv1.Plant(in.Items[i])
		}
	})
	scheme.AddTypeDefaultingFunc(&gardenv1.Plant{}, func(obj any) {
		if spec := &obj.(*gardenv1.Plant).Spec; spec.WaterEveryDays == 0 {
			spec.WaterEveryDays = 3
		}
	})
}

func convert[In, Out any](scheme *runtime.Scheme, do func(in *In, out *Out)) {
	utilruntime.Must(scheme.AddConversionFunc((*In)(nil), (*Out)(nil), func(a, b any, _ conversion.Scope) error {
		do(a.(*In), b.(*Out))
		return nil
	}))
}
