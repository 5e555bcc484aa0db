// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/apis/core"
)

func pod(spec corev1.PodSpec) *core.Pod {
	return &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: *spec.DeepCopy()}
}

// Pods get the placement of their tenant when they are created, and are refused what
// contradicts it.
func TestPlacement(t *testing.T) {
	t.Parallel()
	const (
		forbidden = `pods "x" is forbidden: `
		kept      = forbidden + "spec.tolerations[0]: tolerates a taint of the nodes that are kept for another tenant"
	)
	selector := func(value string) map[string]string { return map[string]string{"dedicated": value} }
	tolerating := func(t ...corev1.Toleration) corev1.PodSpec { return corev1.PodSpec{Tolerations: t} }
	everything := corev1.Toleration{Operator: corev1.TolerationOpExists}
	notReady := corev1.Toleration{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists}
	gpu := corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists}
	placed := corev1.PodSpec{NodeSelector: selector("orange"), Tolerations: []corev1.Toleration{dedicated("orange")}}
	p, _ := start(t)
	for name, tc := range map[string]struct {
		namespace string
		spec      corev1.PodSpec
		old       *corev1.PodSpec // nil: it is created
		part      string          // a subresource
		placed    corev1.PodSpec
		want      string
	}{
		"none of its own": {namespace: "orange", placed: placed},
		"more of its own": {
			namespace: "orange",
			spec:      corev1.PodSpec{NodeSelector: map[string]string{"disk": "ssd"}, Tolerations: []corev1.Toleration{gpu}},
			placed: corev1.PodSpec{
				NodeSelector: map[string]string{"disk": "ssd", "dedicated": "orange"},
				Tolerations:  []corev1.Toleration{gpu, dedicated("orange")},
			},
		},
		"the same":               {namespace: "orange", spec: placed, placed: placed},
		"other nodes":            {namespace: "orange", spec: corev1.PodSpec{NodeSelector: selector("purple")}, want: forbidden + `spec.nodeSelector[dedicated]: pods of tenant "orange" run on nodes with dedicated=orange, not "purple"`},
		"its node":               {namespace: "orange", spec: corev1.PodSpec{NodeName: "machine-1"}, placed: corev1.PodSpec{NodeName: "machine-1", NodeSelector: placed.NodeSelector, Tolerations: placed.Tolerations}},
		"another node":           {namespace: "orange", spec: corev1.PodSpec{NodeName: "machine-2"}, want: forbidden + `spec.nodeName: pods of tenant "orange" run on nodes with dedicated=orange, which "machine-2" is not`},
		"no node":                {namespace: "orange", spec: corev1.PodSpec{NodeName: "machine-3"}, want: forbidden + `spec.nodeName: "machine-3" is kept for another tenant, or is no node`},
		"no placement":           {namespace: "purple"},
		"no placement, any node": {namespace: "purple", spec: corev1.PodSpec{NodeName: "machine-2"}, placed: corev1.PodSpec{NodeName: "machine-2"}},
		"no placement, kept":     {namespace: "purple", spec: corev1.PodSpec{NodeName: "machine-1"}, want: forbidden + `spec.nodeName: "machine-1" is kept for another tenant, or is no node`},
		"another's taint":        {namespace: "purple", spec: tolerating(dedicated("orange")), want: kept},
		"a value of nobody":      {namespace: "purple", spec: tolerating(dedicated("nobody")), placed: tolerating(dedicated("nobody"))},
		"any value":              {namespace: "purple", spec: tolerating(corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists}), want: kept},
		"any effect":             {namespace: "purple", spec: tolerating(corev1.Toleration{Key: "dedicated", Value: "orange"}), want: kept},
		"another effect": {
			namespace: "purple", spec: tolerating(corev1.Toleration{Key: "dedicated", Value: "orange", Effect: corev1.TaintEffectNoExecute}),
			placed: tolerating(corev1.Toleration{Key: "dedicated", Value: "orange", Effect: corev1.TaintEffectNoExecute}),
		},
		"every taint":           {namespace: "purple", spec: tolerating(everything), want: kept},
		"those of the system":   {namespace: "purple", spec: tolerating(notReady), placed: tolerating(notReady)},
		"like the system's":     {namespace: "purple", spec: tolerating(corev1.Toleration{Key: "node.kubernetes.io/gold", Operator: corev1.TolerationOpExists}), want: kept},
		"nobody's":              {namespace: "purple", spec: tolerating(gpu), placed: tolerating(gpu)},
		"no tenant":             {namespace: "free", spec: tolerating(everything), placed: tolerating(everything)},
		"a tenant gone":         {namespace: "lost", spec: tolerating(everything), placed: tolerating(everything)},
		"from before":           {namespace: "orange", old: &corev1.PodSpec{}},
		"added later":           {namespace: "purple", old: &corev1.PodSpec{}, spec: tolerating(everything), want: kept},
		"there, and one more":   {namespace: "purple", old: &corev1.PodSpec{Tolerations: []corev1.Toleration{everything}}, spec: tolerating(everything, gpu), placed: tolerating(everything, gpu)},
		"selector taken away":   {namespace: "orange", old: &placed, spec: tolerating(dedicated("orange")), want: forbidden + `spec.nodeSelector[dedicated]: pods of tenant "orange" run on nodes with dedicated=orange, not ""`},
		"node named meanwhile":  {namespace: "orange", old: &placed, spec: corev1.PodSpec{NodeName: "machine-2", NodeSelector: placed.NodeSelector, Tolerations: placed.Tolerations}, placed: corev1.PodSpec{NodeName: "machine-2", NodeSelector: placed.NodeSelector, Tolerations: placed.Tolerations}},
		"a part of it":          {namespace: "purple", old: &corev1.PodSpec{}, part: "status", spec: tolerating(everything), placed: tolerating(everything)},
		"a part that is create": {namespace: "orange", part: "binding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("pods"), Subresource: tc.part, Namespace: tc.namespace, Obj: pod(tc.spec)}
			if tc.old != nil {
				request.Old = pod(*tc.old)
			}
			err := p.Do(t.Context(), request)
			admissiontest.Check(t, err, tc.want)
			if diff := cmp.Diff(pod(tc.placed), request.Obj); err == nil && diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		gone := admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("pods"), Namespace: "purple", Old: pod(tolerating(everything)), Operation: admission.Delete}
		admissiontest.Check(t, p.Do(t.Context(), gone), "")
	})
	t.Run("no pod", func(t *testing.T) {
		t.Parallel()
		err := p.Do(t.Context(), admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("pods"), Namespace: "orange", Obj: &core.Secret{}})
		if want := "resource was marked with kind Pod but was unable to be converted: *core.Secret"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}
