// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package antiaffinity_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/antiaffinity"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	const refused = `pods "p" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed`
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	pod := func(affinity *corev1.PodAntiAffinity) *core.Pod {
		out := &core.Pod{Spec: corev1.PodSpec{Affinity: &corev1.Affinity{PodAntiAffinity: affinity}}}
		out.Name = "p"
		return out
	}
	hard := func(key string) *core.Pod {
		return pod(&corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: key}}})
	}
	soft := pod(&corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: "zone"}}}})
	p := admissiontest.Start(t, antiaffinity.Register, admissiontest.Plugin{})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"none":           {admissiontest.Request{Obj: &core.Pod{}, Resource: pods}, ""},
		"no terms":       {admissiontest.Request{Obj: pod(nil), Resource: pods}, ""},
		"node":           {admissiontest.Request{Obj: hard("kubernetes.io/hostname"), Resource: pods}, ""},
		"rather not":     {admissiontest.Request{Obj: soft, Resource: pods}, ""},
		"zone":           {admissiontest.Request{Obj: hard("zone"), Resource: pods}, refused},
		"zone on update": {admissiontest.Request{Obj: hard("zone"), Old: pod(nil), Resource: pods}, refused},
		"status":         {admissiontest.Request{Obj: hard("zone"), Old: pod(nil), Resource: pods, Subresource: "status"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}
