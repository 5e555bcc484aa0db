// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/core"
)

func TestNotePhaseChange(t *testing.T) {
	t.Parallel()
	before := new(metav1.NewTime(time.Unix(1000, 0)))
	later := new(metav1.NewTime(time.Unix(2000, 0)))
	for name, test := range map[string]struct {
		phase corev1.PersistentVolumePhase
		given *metav1.Time
		want  *metav1.Time // nil: now
	}{
		"unchanged":             {corev1.VolumePending, nil, before},
		"unchanged but written": {corev1.VolumePending, later, later},
		"changed":               {corev1.VolumeBound, nil, nil},
		"changed with old time": {corev1.VolumeBound, before, nil},
		"changed and written":   {corev1.VolumeBound, later, later},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := &core.PersistentVolume{Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumePending, LastPhaseTransitionTime: before}}
			obj := &core.PersistentVolume{Status: corev1.PersistentVolumeStatus{Phase: test.phase, LastPhaseTransitionTime: test.given}}
			notePhaseChange(t.Context(), obj, old)
			got := obj.Status.LastPhaseTransitionTime
			if test.want == nil {
				if time.Since(got.Time) > time.Minute {
					t.Errorf("got %v, want now", got)
				}
			} else if !got.Equal(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPrepareDataSources(t *testing.T) {
	t.Parallel()
	src := func(kind string) *corev1.TypedLocalObjectReference {
		return &corev1.TypedLocalObjectReference{Kind: kind, Name: "n"}
	}
	ref := func(kind string, namespace *string) *corev1.TypedObjectReference {
		return &corev1.TypedObjectReference{Kind: kind, Name: "n", Namespace: namespace}
	}
	type spec = corev1.PersistentVolumeClaimSpec
	for name, test := range map[string]struct{ obj, old, want spec }{
		"the older field fills the newer": {
			obj: spec{DataSource: src("PersistentVolumeClaim")}, want: spec{DataSource: src("PersistentVolumeClaim"), DataSourceRef: ref("PersistentVolumeClaim", nil)}},
		"the newer fills the older": {
			obj: spec{DataSourceRef: ref("Other", nil)}, want: spec{DataSource: src("Other"), DataSourceRef: ref("Other", nil)}},
		"nonsense in the older is dropped": {obj: spec{DataSource: src("Other")}},
		"unless it was there": {
			obj: spec{DataSource: src("Other")}, old: spec{DataSource: src("Other")}, want: spec{DataSource: src("Other"), DataSourceRef: ref("Other", nil)}},
		"other namespaces are behind a gate": {obj: spec{DataSourceRef: ref("Other", new("ns"))}},
		"unless they were there": {
			obj: spec{DataSourceRef: ref("Other", new("ns"))}, old: spec{DataSourceRef: ref("Other", new("ns"))},
			want: spec{DataSourceRef: ref("Other", new("ns"))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prepareDataSources(&test.obj, &test.old)
			if diff := cmp.Diff(test.want, test.obj); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAccessModes(t *testing.T) {
	t.Parallel()
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteMany}
	if got := accessModes(modes); got != "RWO,RWX,RWOP" {
		t.Errorf("got %q", got)
	}
}
