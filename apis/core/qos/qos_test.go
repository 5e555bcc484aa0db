// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/stoa-project/stoa/apis/core/qos"
)

func list(cpu, memory string) corev1.ResourceList {
	out := corev1.ResourceList{}
	if cpu != "" {
		out["cpu"] = resource.MustParse(cpu)
	}
	if memory != "" {
		out["memory"] = resource.MustParse(memory)
	}
	return out
}

func TestCompute(t *testing.T) {
	t.Parallel()
	asks := func(requests, limits corev1.ResourceList) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: requests, Limits: limits}
	}
	full := asks(list("1", "1Gi"), list("1", "1Gi"))
	for name, test := range map[string]struct {
		pod        *corev1.ResourceRequirements
		containers []corev1.ResourceRequirements
		want       corev1.PodQOSClass
	}{
		"nothing":                      {nil, []corev1.ResourceRequirements{{}}, "BestEffort"},
		"zero":                         {nil, []corev1.ResourceRequirements{asks(list("0", ""), nil)}, "BestEffort"},
		"other resources do not count": {nil, []corev1.ResourceRequirements{asks(corev1.ResourceList{"example.com/gpu": resource.MustParse("1")}, nil)}, "BestEffort"},
		"all limited":                  {nil, []corev1.ResourceRequirements{full, full}, "Guaranteed"},
		"one without limits":           {nil, []corev1.ResourceRequirements{full, {}}, "Burstable"},
		"less than the limit":          {nil, []corev1.ResourceRequirements{asks(list("1", "1Gi"), list("2", "1Gi"))}, "Burstable"},
		"one resource limited":         {nil, []corev1.ResourceRequirements{asks(list("1", ""), list("1", ""))}, "Burstable"},
		"limited as a whole":           {&full, []corev1.ResourceRequirements{{}}, "Guaranteed"},
		"asks as a whole":              {new(asks(list("1", ""), nil)), []corev1.ResourceRequirements{full}, "Burstable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := &corev1.PodSpec{Resources: test.pod}
			for _, r := range test.containers {
				spec.Containers = append(spec.Containers, corev1.Container{Resources: r})
			}
			if got := qos.Compute(spec); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := qos.Of(&corev1.Pod{Status: corev1.PodStatus{QOSClass: "Burstable"}}); got != "Burstable" {
		t.Errorf("the class in the status became %s", got)
	}
}
