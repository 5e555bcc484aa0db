// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package inuse_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/inuse"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/storage"
)

// admit sends a request through the plugin, as the server does.
func admit(t *testing.T, obj runtime.Object, resource schema.GroupResource, subresource string, operation admission.Operation) error {
	t.Helper()
	plugins := admission.NewPlugins()
	inuse.Register(plugins)
	plugin, err := plugins.InitPlugin("StorageObjectInUseProtection", nil, admission.PluginInitializers{})
	if err != nil {
		t.Fatal(err)
	}
	if !plugin.Handles(operation) {
		return nil
	}
	return plugin.(admission.MutationInterface).Admit(t.Context(), admission.NewAttributesRecord(obj, nil, schema.GroupVersionKind{}, "", "a",
		resource.WithVersion("v1"), subresource, operation, nil, false, nil), nil)
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	const volume, claim, class = "kubernetes.io/pv-protection", "kubernetes.io/pvc-protection", "kubernetes.io/vac-protection"
	type object interface {
		runtime.Object
		metav1.Object
	}
	with := func(obj object, finalizers ...string) object {
		obj.SetFinalizers(finalizers)
		return obj
	}
	volumes := schema.GroupResource{Resource: "persistentvolumes"}
	for name, tc := range map[string]struct {
		obj         object
		resource    schema.GroupResource
		subresource string
		operation   admission.Operation // unset: create
		want        []string
	}{
		"volume":                   {obj: &core.PersistentVolume{}, resource: volumes, want: []string{volume}},
		"claim":                    {obj: &core.PersistentVolumeClaim{}, resource: schema.GroupResource{Resource: "persistentvolumeclaims"}, want: []string{claim}},
		"class":                    {obj: &storage.VolumeAttributesClass{}, resource: schema.GroupResource{Group: "storage.k8s.io", Resource: "volumeattributesclasses"}, want: []string{class}},
		"others stay":              {obj: with(&core.PersistentVolume{}, "example.com/a"), resource: volumes, want: []string{"example.com/a", volume}},
		"it is there":              {obj: with(&core.PersistentVolume{}, volume, "example.com/a"), resource: volumes, want: []string{volume, "example.com/a"}},
		"that of another kind":     {obj: with(&core.PersistentVolume{}, claim), resource: volumes, want: []string{claim, volume}},
		"update":                   {obj: &core.PersistentVolume{}, resource: volumes, operation: admission.Update},
		"subresource":              {obj: &core.PersistentVolume{}, resource: volumes, subresource: "status"},
		"another resource":         {obj: &core.Pod{}, resource: schema.GroupResource{Resource: "pods"}},
		"the name in other groups": {obj: &core.PersistentVolume{}, resource: schema.GroupResource{Group: "example.com", Resource: "persistentvolumes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			operation := tc.operation
			if operation == "" {
				operation = admission.Create
			}
			if err := admit(t, tc.obj, tc.resource, tc.subresource, operation); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, tc.obj.GetFinalizers()); diff != "" {
				t.Errorf("finalizers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoObject(t *testing.T) {
	t.Parallel()
	err := admit(t, &runtime.Unknown{}, schema.GroupResource{Resource: "persistentvolumes"}, "", admission.Create)
	if want := "object does not implement the Object interfaces"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
