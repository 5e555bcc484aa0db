// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"fmt"
	"reflect"
	"unsafe"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// apiObject is what types and lists implement through their pointers.
type apiObject[T any] interface {
	*T
	runtime.Object
}

// Install registers a kind of a group with one version, whose hub types have the
// shape of the served ones: "type Plant gardenv1.Plant", and a list of it. They
// must be Go types of their own, or server-side apply cannot tell a change from a
// conversion. A group with several versions has conversion-gen write conversions.
//
//	kind.Install[Plant, PlantList, gardenv1.Plant, gardenv1.PlantList](scheme, version)
//
// It panics if the types have not the same shape.
func Install[
	Hub, HubList, Served, ServedList any,
	PHub Object[Hub], PHubList apiObject[HubList], PServed Object[Served], PServedList apiObject[ServedList],
](scheme *runtime.Scheme, version schema.GroupVersion) {
	mustMatch[Hub, Served]()
	mustMatch[HubList, ServedList]()
	hub := schema.GroupVersion{Group: version.Group, Version: runtime.APIVersionInternal}
	scheme.AddKnownTypes(hub, PHub(new(Hub)), PHubList(new(HubList)))
	scheme.AddKnownTypes(version, PServed(new(Served)), PServedList(new(ServedList)))
	metav1.AddToGroupVersion(scheme, version)
	addCast[Served, Hub, PServed, PHub](scheme)
	addCast[Hub, Served, PHub, PServed](scheme)
	addCast[ServedList, HubList, PServedList, PHubList](scheme)
	addCast[HubList, ServedList, PHubList, PServedList](scheme)
}

// addCast registers the conversion between two types of the same shape. The result
// shares memory with the source, as generated conversions do. It has no version:
// that is for the encoder to say.
func addCast[In, Out any, PIn apiObject[In], POut apiObject[Out]](scheme *runtime.Scheme) {
	utilruntime.Must(scheme.AddConversionFunc((*In)(nil), (*Out)(nil), func(in, out any, _ conversion.Scope) error {
		*out.(*Out) = *(*Out)(unsafe.Pointer(in.(*In))) //nolint:gosec // mustMatch says that the shapes are the same
		POut(out.(*Out)).GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
		return nil
	}))
}

// mustMatch panics unless values of A and B are the same in memory: structs with
// the same fields, or, in a list, with items for which that is true.
func mustMatch[A, B any]() {
	a, b := reflect.TypeFor[A](), reflect.TypeFor[B]()
	if !sameShape(a, b) {
		panic(fmt.Sprintf("kind.Install: %s and %s have not the same shape", a, b))
	}
}

func sameShape(a, b reflect.Type) bool {
	if a.ConvertibleTo(b) && a.Kind() == b.Kind() {
		return true
	}
	switch {
	case a.Kind() != b.Kind():
		return false
	case a.Kind() == reflect.Slice:
		return sameShape(a.Elem(), b.Elem())
	case a.Kind() != reflect.Struct || a.NumField() != b.NumField():
		return false
	}
	for i := range a.NumField() {
		if a.Field(i).Name != b.Field(i).Name || !sameShape(a.Field(i).Type, b.Field(i).Type) {
			return false
		}
	}
	return true
}
