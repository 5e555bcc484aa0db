// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/operation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestNamespaceDefaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		in, want corev1.Namespace
	}{
		{"named", corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"kubernetes.io/metadata.name": "a"}},
			Status:     corev1.NamespaceStatus{Phase: "Active"}}},
		{"not named yet", corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "a"}}, corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "a"}, Status: corev1.NamespaceStatus{Phase: "Active"}}},
		{"wrong label", corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"kubernetes.io/metadata.name": "b", "c": "d"}},
			Status:     corev1.NamespaceStatus{Phase: "Terminating"}}, corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"kubernetes.io/metadata.name": "a", "c": "d"}},
			Status:     corev1.NamespaceStatus{Phase: "Terminating"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			SetObjectDefaults_Namespace(&tc.in)
			if diff := cmp.Diff(tc.want, tc.in); diff != "" {
				t.Errorf("namespace (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDataDefaults(t *testing.T) {
	t.Parallel()
	secret, configMap := &corev1.Secret{}, &corev1.ConfigMap{}
	SetObjectDefaults_Secret(secret)
	SetObjectDefaults_ConfigMap(configMap)
	if diff := cmp.Diff(&corev1.Secret{Type: "Opaque"}, secret); diff != "" {
		t.Errorf("secret (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&corev1.ConfigMap{Data: map[string]string{}}, configMap); diff != "" {
		t.Errorf("config map (-want +got):\n%s", diff)
	}
}

func TestEvictionResponder(t *testing.T) {
	t.Parallel()
	path := field.NewPath("x")
	for name, want := range map[string]string{
		"example.com/a":   "",
		"k8s.io.me/a":     "",
		"k8s.io/a":        `x: Invalid value: "k8s.io/a": domain names *.k8s.io are reserved`,
		"b.kubernetes.io": `x: Invalid value: "b.kubernetes.io": domain names *.kubernetes.io are reserved`,
	} {
		var got string
		if err := ValidateCustom_EvictionResponder_Name(t.Context(), operation.Operation{}, path, &name, nil).ToAggregate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for priority, wantErrors := range map[int32]int{-1: 0, 0: 1, 999: 1, 1000: 0} {
		errs := ValidateCustom_EvictionResponder_Priority(t.Context(), operation.Operation{}, path, new(priority), nil)
		if len(errs) != wantErrors {
			t.Errorf("%d: %v", priority, errs)
		}
	}
}
