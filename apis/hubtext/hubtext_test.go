// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package hubtext_test

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/hubtext"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in   any
		want string
	}{
		"nothing is renamed or left out": {
			&corev1.NodeSelectorRequirement{Key: "k<"}, `{"Key":"k\u003c","Operator":"","Values":null}`},
		"embedded structs have no name": {
			corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "n"}},
			`{"Name":"n","Items":null,"Optional":null}`},
		"metadata too": {
			corev1.PersistentVolumeClaimTemplate{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"b": "1", "a": "2"}}},
			`{"labels":{"a":"2","b":"1"},"Spec":{"AccessModes":null,"Selector":null,"Resources":{"Limits":null,"Requests":null},` +
				`"VolumeName":"","StorageClassName":null,"VolumeMode":null,"DataSource":null,"DataSourceRef":null,"VolumeAttributesClassName":null}}`},
		"types of apimachinery keep their tags": {
			corev1.ResourceFieldSelector{Divisor: resource.MustParse("1Gi")}, `{"ContainerName":"","Resource":"","Divisor":"1Gi"}`},
		"selectors too": {
			[]any{&metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}, `[{"matchLabels":{"a":"b"}}]`},
		"bytes": {map[string][]byte{"a": []byte("x")}, `{"a":"eA=="}`},
		"nil":   {(*corev1.Pod)(nil), `null`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(hubtext.Of(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	got := hubtext.Diff(corev1.LocalObjectReference{Name: "a"}, corev1.LocalObjectReference{Name: "b"})
	if want := "@@ -1,3 +1,3 @@\n {\n- \"Name\": \"a\"\n+ \"Name\": \"b\"\n }\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
