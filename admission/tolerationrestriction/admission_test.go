// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tolerationrestriction_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/tolerationrestriction"
	"github.com/stoa-project/stoa/apis/core"
)

const (
	head     = "apiVersion: podtolerationrestriction.admission.k8s.io/v1alpha1\nkind: Configuration\n"
	conflict = "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist"
)

type list = []corev1.Toleration

// annotated is the namespace of the tests; an annotation is there if its text is not "-".
func annotated(given, allowed string) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n", Annotations: map[string]string{}}}
	if given != "-" {
		namespace.Annotations["scheduler.alpha.kubernetes.io/defaultTolerations"] = given
	}
	if allowed != "-" {
		namespace.Annotations["scheduler.alpha.kubernetes.io/tolerationsWhitelist"] = allowed
	}
	return namespace
}

// TestPlugin has what is given to pods, and what they may have.
func TestPlugin(t *testing.T) {
	t.Parallel()
	const config = head + "default: [{key: usual, operator: Exists}]\nwhitelist: [{key: usual, operator: Exists}, {key: ok, operator: Exists}]"
	mine := corev1.Toleration{Key: "mine", Operator: "Equal", Value: "v", Effect: "NoSchedule"}
	given := corev1.Toleration{Key: "given", Operator: "Exists"}
	usual, ok := corev1.Toleration{Key: "usual", Operator: "Exists"}, corev1.Toleration{Key: "ok", Operator: "Exists"}
	pressure := corev1.Toleration{Key: "node.kubernetes.io/memory-pressure", Operator: "Exists", Effect: "NoSchedule"}
	const givenText, mineText = `[{"key": "given", "operator": "Exists"}]`, `[{"key": "mine", "operator": "Exists"}]`
	for name, tc := range map[string]struct {
		config         string
		given, allowed string // the annotations
		pod            list
		burstable      bool
		request        admissiontest.Request
		want           list
		refused        string
	}{
		"nothing":                                   {given: "-", allowed: "-", pod: list{mine}, want: list{mine}},
		"given by the namespace":                    {given: givenText, allowed: "-", pod: list{mine}, want: list{mine, given}},
		"given by the configuration":                {config: config, given: "-", allowed: "", want: list{usual}},
		"annotation before configuration":           {config: config, given: givenText, allowed: "", want: list{given}},
		"empty annotations give and forbid nothing": {config: config, given: "", allowed: "", pod: list{mine}, want: list{mine}},
		"not given on update":                       {given: givenText, allowed: "-", pod: list{mine}, request: admissiontest.Request{Old: &core.Pod{}}, want: list{mine}},
		"allowed":                                   {given: "-", allowed: mineText, pod: list{mine}, want: list{mine}},
		"not allowed":                               {given: "-", allowed: mineText, pod: list{ok}, want: list{ok}, refused: conflict},
		"not allowed on update":                     {given: "-", allowed: mineText, pod: list{ok}, request: admissiontest.Request{Old: &core.Pod{}}, want: list{ok}, refused: conflict},
		"given, but not allowed":                    {given: givenText, allowed: mineText, want: list{given}, refused: conflict},
		"allowed by the configuration":              {config: config, given: "-", allowed: "-", pod: list{ok}, want: list{ok, usual}},
		"not allowed by the configuration":          {config: config, given: "-", allowed: "-", pod: list{mine}, want: list{mine, usual}, refused: conflict},
		"all is allowed without a list":             {given: "-", allowed: "[]", pod: list{mine}, want: list{mine}},
		"memory pressure":                           {given: "-", allowed: "-", burstable: true, want: list{pressure}},
		"memory pressure on update":                 {given: "-", allowed: "-", burstable: true, request: admissiontest.Request{Old: &core.Pod{}}, want: list{pressure}},
		"memory pressure must be allowed":           {given: "-", allowed: mineText, burstable: true, want: list{pressure}, refused: conflict},
		"memory pressure is covered":                {given: "-", allowed: "-", burstable: true, pod: list{{Operator: "Exists"}}, want: list{{Operator: "Exists"}}},
		"an annotation that is wrong":               {given: "x", allowed: "-", refused: "invalid character 'x' looking for beginning of value"},
		"a list of allowed that is wrong":           {given: "-", allowed: "x", pod: list{mine}, want: list{mine}, refused: "invalid character 'x' looking for beginning of value"},
		"subresource":                               {given: givenText, allowed: mineText, burstable: true, pod: list{ok}, request: admissiontest.Request{Subresource: "status", Old: &core.Pod{}}, want: list{ok}},
		"another resource":                          {given: givenText, allowed: mineText, pod: list{ok}, request: admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("podtemplates")}, want: list{ok}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &core.Pod{Spec: corev1.PodSpec{Tolerations: tc.pod, Containers: []corev1.Container{{}}}}
			if tc.burstable {
				pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("1")}
			}
			tc.request.Obj = pod
			if tc.request.Resource.Empty() {
				tc.request.Resource = corev1.SchemeGroupVersion.WithResource("pods")
			}
			p := admissiontest.Start(t, tolerationrestriction.Register, admissiontest.Plugin{Config: tc.config, Objects: []runtime.Object{annotated(tc.given, tc.allowed)}})
			check(t, p.Do(t.Context(), tc.request), tc.refused)
			if diff := cmp.Diff(tc.want, pod.Spec.Tolerations); diff != "" {
				t.Errorf("tolerations (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMerge adds the tolerations of a namespace to those of a pod. What others cover is
// left out.
func TestMerge(t *testing.T) {
	t.Parallel()
	a := corev1.Toleration{Key: "a", Operator: "Equal", Value: "1", Effect: "NoExecute"}
	short, long := a, a
	short.TolerationSeconds, long.TolerationSeconds = new(int64(10)), new(int64(60))
	noSchedule, other, unset := a, a, a
	noSchedule.Effect, other.Value, unset.Operator = "NoSchedule", "2", ""
	exists, anyEffect, less := corev1.Toleration{Key: "a", Operator: "Exists", Effect: "NoExecute"}, a, a
	anyEffect.Effect, less.Operator = "", "Lt"
	for name, tc := range map[string]struct {
		pod       list
		namespace string
		want      list
	}{
		"equal":                    {list{a}, `[{"key": "a", "operator": "Equal", "value": "1", "effect": "NoExecute"}]`, list{a}},
		"another value":            {list{a}, `[{"key": "a", "operator": "Equal", "value": "2", "effect": "NoExecute"}]`, list{a, other}},
		"another effect":           {list{a}, `[{"key": "a", "operator": "Equal", "value": "1", "effect": "NoSchedule"}]`, list{a, noSchedule}},
		"any effect":               {list{a}, `[{"key": "a", "operator": "Equal", "value": "1"}]`, list{anyEffect}},
		"any value":                {list{a}, `[{"key": "a", "operator": "Exists", "effect": "NoExecute"}]`, list{exists}},
		"any key":                  {list{a, exists}, `[{"operator": "Exists"}]`, list{{Operator: "Exists"}}},
		"longer":                   {list{short}, `[{"key": "a", "operator": "Equal", "value": "1", "effect": "NoExecute", "tolerationSeconds": 60}]`, list{long}},
		"shorter":                  {list{long}, `[{"key": "a", "operator": "Equal", "value": "1", "effect": "NoExecute", "tolerationSeconds": 10}]`, list{long}},
		"for ever":                 {list{a}, `[{"key": "a", "operator": "Equal", "value": "1", "effect": "NoExecute", "tolerationSeconds": 10}]`, list{a}},
		"no operator is Equal":     {list{a}, `[{"key": "a", "value": "1", "effect": "NoExecute"}]`, list{unset}},
		"and the other way":        {list{unset}, `[{"key": "a", "operator": "Equal", "value": "1", "effect": "NoExecute"}]`, list{unset}},
		"numbers are not compared": {list{a}, `[{"key": "a", "operator": "Lt", "value": "1", "effect": "NoExecute"}]`, list{a, less}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &core.Pod{Spec: corev1.PodSpec{Tolerations: tc.pod}}
			p := admissiontest.Start(t, tolerationrestriction.Register, admissiontest.Plugin{Objects: []runtime.Object{annotated(tc.namespace, "-")}})
			check(t, p.Do(t.Context(), admissiontest.Request{Obj: pod, Resource: corev1.SchemeGroupVersion.WithResource("pods")}), "")
			if diff := cmp.Diff(tc.want, pod.Spec.Tolerations); diff != "" {
				t.Errorf("tolerations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoNamespace(t *testing.T) {
	t.Parallel()
	p := admissiontest.Start(t, tolerationrestriction.Register, admissiontest.Plugin{})
	check(t, p.Do(t.Context(), admissiontest.Request{Obj: &core.Pod{}, Resource: corev1.SchemeGroupVersion.WithResource("pods")}), `namespaces "n" not found`)
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		head + "default: [{key: a, operator: In}]\nwhitelist: [{}]": `invalid config: [podtolerationrestriction.default[0].operator: Unsupported value: "In": supported values: "Equal", "Exists" podtolerationrestriction.whitelist[0].operator: Invalid value: "": operator must be Exists when ` + "`key`" + ` is empty, which means "match all values and all keys"]`,
		"apiVersion: v1\nkind: Configuration":                       `configuration: apiVersion must be "podtolerationrestriction.admission.k8s.io/v1alpha1" and kind "Configuration", not "v1" and "Configuration"`,
	} {
		plugins := admission.NewPlugins()
		tolerationrestriction.Register(plugins)
		_, err := plugins.InitPlugin("PodTolerationRestriction", strings.NewReader(config), admission.PluginInitializers{})
		check(t, err, `couldn't init admission plugin "PodTolerationRestriction": `+want)
	}
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}
