// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestTopologies(t *testing.T) {
	t.Parallel()
	term := func(keys ...string) corev1.TopologySelectorTerm {
		var out corev1.TopologySelectorTerm
		for _, key := range keys {
			out.MatchLabelExpressions = append(out.MatchLabelExpressions, corev1.TopologySelectorLabelRequirement{Key: key, Values: []string{"a", "b"}})
		}
		return out
	}
	for name, test := range map[string]struct {
		terms []corev1.TopologySelectorTerm
		want  []string
	}{
		"different":           {[]corev1.TopologySelectorTerm{term("x"), term("y"), term("x", "y")}, nil},
		"the same, reordered": {[]corev1.TopologySelectorTerm{term("x", "y"), term("y", "x")}, []string{`t[1].matchLabelExpressions: Duplicate value: ""`}},
		"empty":               {[]corev1.TopologySelectorTerm{term()}, []string{`t[0].matchLabelExpressions: Duplicate value: ""`}},
		"a key twice":         {[]corev1.TopologySelectorTerm{term("x", "x")}, []string{`t[0].matchLabelExpressions[1].key: Duplicate value: "x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, test.want, validateTopologies(test.terms, field.NewPath("t")))
		})
	}
}

func TestValidateCSINodeUpdate(t *testing.T) {
	t.Parallel()
	node := func(drivers ...storagev1.CSINodeDriver) *storagev1.CSINode {
		return &storagev1.CSINode{Spec: storagev1.CSINodeSpec{Drivers: drivers}}
	}
	count := &storagev1.VolumeNodeResources{Count: new(int32(1))}
	old := node(storagev1.CSINodeDriver{Name: "a", NodeID: "1"})
	for name, test := range map[string]struct {
		obj  *storagev1.CSINode
		want int
	}{
		"drivers come":            {node(storagev1.CSINodeDriver{Name: "a", NodeID: "1"}, storagev1.CSINodeDriver{Name: "b", NodeID: "2"}), 0},
		"and go":                  {node(), 0},
		"their limits may change": {node(storagev1.CSINodeDriver{Name: "a", NodeID: "1", Allocatable: count}), 0},
		"nothing else":            {node(storagev1.CSINodeDriver{Name: "a", NodeID: "2"}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if errs := ValidateCSINodeUpdate(test.obj, old); len(errs) != test.want {
				t.Errorf("got %q, want %d errors", errs, test.want)
			}
		})
	}
}

func TestValidateVolumeAttachment(t *testing.T) {
	t.Parallel()
	attachment := func(source storagev1.VolumeAttachmentSource) *storagev1.VolumeAttachment {
		return &storagev1.VolumeAttachment{Spec: storagev1.VolumeAttachmentSpec{Attacher: "d", NodeName: "n", Source: source}}
	}
	inline := &corev1.PersistentVolumeSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: "c",
		PersistentVolumeSource: corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "s", Path: "/"}},
	}
	for name, test := range map[string]struct {
		source storagev1.VolumeAttachmentSource
		want   []string
	}{
		"both": {storagev1.VolumeAttachmentSource{PersistentVolumeName: new("pv"), InlineVolumeSpec: inline},
			[]string{"spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName"}},
		"inline": {storagev1.VolumeAttachmentSource{InlineVolumeSpec: inline}, []string{
			"spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes",
			"spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the context of inline volumes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, test.want, ValidateVolumeAttachment(attachment(test.source)))
		})
	}
}
