// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestShowHubValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		value any
		want  string
	}{
		{"nested struct", &appsv1.DeploymentStrategy{Type: "x", RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: new(intstr.FromString("3%"))}},
			`{"Type":"x","RollingUpdate":{"MaxUnavailable":null,"MaxSurge":"3%"}}`},
		{"embedded source", []corev1.KeyToPath{{Key: "a<b"}}, `[{"Key":"a\u003cb","Path":"","Mode":null,"User":null}]`},
		{"embedded reference", corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "n"}, Key: "k"},
			`{"Name":"n","Key":"k","Optional":null}`},
		{"metadata keeps its tags", corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "n"}}, `{"name":"n","Spec":{"Limits":null}}`},
		{"selector keeps its tags", &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, `{"matchLabels":{"a":"b"}}`},
		{"map of strings", map[string]string{"a": "b"}, `{"a":"b"}`},
		{"pointer to nothing", (*appsv1.DeploymentStrategy)(nil), `null`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			errs := field.ErrorList{field.Invalid(field.NewPath("f"), tc.value, "d")}
			showHubValues(errs)
			if got, want := errs[0].Error(), "f: Invalid value: "+tc.want+": d"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
