// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func affinity(key, value string) *corev1.VolumeNodeAffinity {
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}},
	}}}}
}

func persistentVolume(change func(*corev1.PersistentVolumeSpec)) *corev1.PersistentVolume {
	pv := &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{
		Capacity:               corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
		AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "d", VolumeHandle: "h"}},
	}}
	change(&pv.Spec)
	return pv
}

func TestValidatePersistentVolumeUpdate(t *testing.T) {
	t.Parallel()
	ref := &corev1.SecretReference{Name: "n", Namespace: "ns"}
	nothing := func(*corev1.PersistentVolumeSpec) {}
	for name, test := range map[string]struct {
		old, obj func(*corev1.PersistentVolumeSpec)
		want     []string
	}{
		"the secret for expansion may come later": {nothing, func(s *corev1.PersistentVolumeSpec) { s.CSI.ControllerExpandSecretRef = ref }, nil},
		"no other": {nothing, func(s *corev1.PersistentVolumeSpec) { s.CSI.NodeExpandSecretRef = ref },
			[]string{"spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"}},
		"node affinity may come later": {nothing, func(s *corev1.PersistentVolumeSpec) { s.NodeAffinity = affinity("a", "b") }, nil},
		"and be renamed": {func(s *corev1.PersistentVolumeSpec) {
			s.NodeAffinity = affinity(corev1.LabelFailureDomainBetaZone, "b")
		},
			func(s *corev1.PersistentVolumeSpec) { s.NodeAffinity = affinity(corev1.LabelTopologyZone, "b") }, nil},
		"but not back": {func(s *corev1.PersistentVolumeSpec) { s.NodeAffinity = affinity(corev1.LabelTopologyZone, "b") },
			func(s *corev1.PersistentVolumeSpec) {
				s.NodeAffinity = affinity(corev1.LabelFailureDomainBetaZone, "b")
			},
			[]string{"nodeAffinity: Invalid value: "}},
		"old values stay": {func(s *corev1.PersistentVolumeSpec) { s.NodeAffinity = affinity("a", "b c") },
			func(s *corev1.PersistentVolumeSpec) { s.NodeAffinity = affinity("a", "b c") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs := ValidatePersistentVolumeUpdate(persistentVolume(test.obj), persistentVolume(test.old))
			fielderrorstest.ComparePrefixes(t, test.want, errs)
		})
	}
}

func TestFlexVolumeMayComeSecond(t *testing.T) {
	t.Parallel()
	pv := persistentVolume(func(s *corev1.PersistentVolumeSpec) {
		s.CSI = nil
		s.NFS = &corev1.NFSVolumeSource{Server: "s", Path: "/"}
		s.FlexVolume = &corev1.FlexPersistentVolumeSource{Driver: "d", Options: map[string]string{"storage.k8s.io/x": ""}}
	})
	want := []string{`spec.flexVolume.options[storage.k8s.io/x]: Invalid value: "storage.k8s.io/x": kubernetes.io and k8s.io namespaces are reserved`}
	fielderrorstest.Compare(t, want, ValidatePersistentVolume(pv))
}

func claim(size string, change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	obj := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}},
		Spec:       claimTemplate().Spec,
		Status:     corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}
	obj.Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse(size)
	change(obj)
	return obj
}

func TestValidatePersistentVolumeClaimUpdate(t *testing.T) {
	t.Parallel()
	nothing := func(*corev1.PersistentVolumeClaim) {}
	class := func(name string) func(*corev1.PersistentVolumeClaim) {
		return func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = &name }
	}
	annotated := func(c *corev1.PersistentVolumeClaim) { c.Annotations[corev1.BetaStorageClassAnnotation] = "fast" }
	const immutable = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
	for name, test := range map[string]struct {
		old, obj *corev1.PersistentVolumeClaim
		want     []string
	}{
		"a bound claim grows":              {claim("2Gi", nothing), claim("3Gi", nothing), nil},
		"and takes back what it asked for": {claim("3Gi", nothing), claim("2Gi", nothing), nil},
		"but not what it has": {claim("3Gi", nothing), claim("1Gi", nothing),
			[]string{"spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"}},
		"a class is given once":           {claim("1Gi", nothing), claim("1Gi", class("fast")), nil},
		"and kept":                        {claim("1Gi", class("fast")), claim("1Gi", class("slow")), []string{immutable}},
		"that of the annotation may move": {claim("1Gi", annotated), claim("1Gi", class("fast")), nil},
		"to no other": {claim("1Gi", annotated), claim("1Gi", class("slow")), []string{
			`metadata.annotations[volume.beta.kubernetes.io/storage-class]: Invalid value: "": field is immutable`, immutable}},
		"attributes cannot be unset": {
			claim("1Gi", func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeAttributesClassName = new("gold") }), claim("1Gi", nothing),
			[]string{immutable, "spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs := ValidatePersistentVolumeClaimUpdate(test.obj, test.old)
			fielderrorstest.ComparePrefixes(t, test.want, errs)
		})
	}
}
