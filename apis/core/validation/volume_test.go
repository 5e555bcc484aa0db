// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func claimTemplate() *corev1.PersistentVolumeClaimTemplate {
	return &corev1.PersistentVolumeClaimTemplate{Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
}

func volume(name string, source corev1.VolumeSource) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: source}
}

func TestValidateVolumes(t *testing.T) {
	t.Parallel()
	secret := &corev1.SecretVolumeSource{SecretName: "s"}
	keys := func(path string) corev1.VolumeProjection {
		return corev1.VolumeProjection{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Items: []corev1.KeyToPath{{Key: "k", Path: path}}}}
	}
	for name, test := range map[string]struct {
		volumes []corev1.Volume
		want    []string
	}{
		"only the first source is looked into": {
			[]corev1.Volume{volume("a", corev1.VolumeSource{
				EmptyDir: &corev1.EmptyDirVolumeSource{}, Secret: secret, DownwardAPI: &corev1.DownwardAPIVolumeSource{DefaultMode: new(int32(-1))}})},
			[]string{
				"spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
				"spec.volumes[0].downwarAPI: Forbidden: may not specify more than 1 volume type",
			},
		},
		"none": {[]corev1.Volume{volume("a", corev1.VolumeSource{})}, []string{"spec.volumes[0]: Required value: must specify a volume type"}},
		"a name twice": {
			[]corev1.Volume{volume("a", corev1.VolumeSource{Secret: secret}), volume("a", corev1.VolumeSource{Secret: secret})},
			[]string{`spec.volumes[1].name: Duplicate value: "a"`},
		},
		"the claim of another volume": {
			[]corev1.Volume{
				volume("a", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: claimTemplate()}}),
				volume("b", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "pod-a"}}),
			},
			[]string{`spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "pod-a": must not reference a PVC that gets created for an ephemeral volume`},
		},
		"a template with more than labels": {
			[]corev1.Volume{volume("a", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: func() *corev1.PersistentVolumeClaimTemplate {
				template := claimTemplate()
				template.Name = "n"
				return template
			}()}})},
			[]string{"spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set"},
		},
		"projected files that hide each other": {
			[]corev1.Volume{volume("a", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				keys("x"), {ConfigMap: &corev1.ConfigMapProjection{}, ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "..t"}}, keys("x"),
			}}})},
			[]string{
				"spec.volumes[0].projected.sources[1].configMap.name: Required value",
				`spec.volumes[0].projected.path: Invalid value: "..t": must not start with '..'`,
				"spec.volumes[0].projected.sources[1]: Forbidden: may not specify more than 1 volume type per source",
				`spec.volumes[0].projected: Invalid value: "s": conflicting duplicate paths`,
			},
		},
		"a long name of an interface": {
			[]corev1.Volume{volume("a", corev1.VolumeSource{ISCSI: &corev1.ISCSIVolumeSource{
				TargetPortal: "10.0.2.15:3260-10.0.2.15:3260-10.0.2.15:3260-10.0.2.15:3260-1234", IQN: "xyz", InitiatorName: new("eui.0123456789abcdef")}})},
			[]string{
				`spec.volumes[0].iscsi.iqn: Invalid value: "xyz": must be valid format starting with iqn, eui, or naa`,
				`spec.volumes[0].name: Invalid value: "a": ` + iscsiTooLong,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, errs := ValidateVolumes(test.volumes, &metav1.ObjectMeta{Name: "pod"}, field.NewPath("spec", "volumes"), PodOptions{IsPod: true})
			fielderrorstest.Compare(t, test.want, errs)
			if len(good) > len(test.volumes) || len(errs) == 0 && len(good) != len(test.volumes) {
				t.Errorf("%d of %d volumes are good", len(good), len(test.volumes))
			}
		})
	}
}
