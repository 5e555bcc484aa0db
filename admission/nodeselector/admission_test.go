// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package nodeselector_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/nodeselector"
	"github.com/stoa-project/stoa/apis/core"
)

// annotated is the namespace of the tests; without a text it has no annotation.
func annotated(text ...string) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n"}}
	for _, selector := range text {
		namespace.Annotations = map[string]string{"scheduler.alpha.kubernetes.io/node-selector": selector}
	}
	return namespace
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	type set = map[string]string
	const (
		conflict = `pods "p" is forbidden: pod node label selector conflicts with its namespace node label selector`
		excess   = `pods "p" is forbidden: pod node label selector labels conflict with its namespace whitelist`
		config   = "podNodeSelectorPluginConfig: {clusterDefaultNodeSelector: zone=usual, 'n': 'zone=b,disk=ssd'}"
	)
	pod := func(selector set) *core.Pod {
		return &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{NodeSelector: selector}}
	}
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	for name, tc := range map[string]struct {
		config    string
		namespace *corev1.Namespace
		given     set
		request   admissiontest.Request
		want      set
		refused   string
	}{
		"nothing is selected":       {namespace: annotated(), given: set{"a": "b"}, want: set{"a": "b"}},
		"by the namespace":          {namespace: annotated("zone=b, disk=ssd"), want: set{"zone": "b", "disk": "ssd"}},
		"by both":                   {namespace: annotated("zone=b"), given: set{"a": "b"}, want: set{"zone": "b", "a": "b"}},
		"the same by both":          {namespace: annotated("zone=b"), given: set{"zone": "b"}, want: set{"zone": "b"}},
		"a contradiction":           {namespace: annotated("zone=b"), given: set{"zone": "a"}, want: set{"zone": "a"}, refused: conflict},
		"default":                   {config: strings.Replace(config, "'n':", "other:", 1), namespace: annotated(), want: set{"zone": "usual"}},
		"annotation before default": {config: config, namespace: annotated("zone=b"), want: set{"zone": "b"}},
		"empty annotation":          {config: config, namespace: annotated(""), given: set{"disk": "ssd"}, want: set{"disk": "ssd"}},
		"a label that is not in the whitelist": {
			config: config, namespace: annotated("zone=b"), given: set{"a": "b"}, want: set{"zone": "b", "a": "b"}, refused: excess,
		},
		"another value than in the whitelist": {
			config: config, namespace: annotated(""), given: set{"disk": "hdd"}, want: set{"disk": "hdd"}, refused: excess,
		},
		"the default is not in the whitelist": {config: config, namespace: annotated(), want: set{"zone": "usual"}, refused: excess},
		"update":                              {namespace: annotated("zone=b"), request: admissiontest.Request{Old: pod(nil)}},
		"subresource":                         {namespace: annotated("zone=b"), request: admissiontest.Request{Subresource: "binding"}},
		"another resource":                    {namespace: annotated("zone=b"), request: admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("podtemplates")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := pod(tc.given)
			tc.request.Obj = made
			if tc.request.Resource.Empty() {
				tc.request.Resource = pods
			}
			p := admissiontest.Start(t, nodeselector.Register, admissiontest.Plugin{Config: tc.config, Objects: []runtime.Object{tc.namespace}})
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.refused)
			if diff := cmp.Diff(tc.want, made.Spec.NodeSelector); diff != "" {
				t.Errorf("node selector (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNamespace has namespaces that the informer does not know, or nobody, and one whose
// annotation is wrong.
func TestNamespace(t *testing.T) {
	t.Parallel()
	request := admissiontest.Request{Obj: &core.Pod{}, Resource: corev1.SchemeGroupVersion.WithResource("pods")}
	p := admissiontest.Start(t, nodeselector.Register, admissiontest.Plugin{})
	if err := p.Do(t.Context(), request); err == nil || err.Error() != "Internal error occurred: namespace n does not exist" {
		t.Errorf("no namespace: %v", err)
	}
	p = admissiontest.Start(t, nodeselector.Register, admissiontest.Plugin{Objects: []runtime.Object{annotated("a in (b)")}})
	if err := p.Do(t.Context(), request); err == nil || err.Error() != "invalid selector: [a in (b)]" {
		t.Errorf("wrong annotation: %v", err)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"podNodeSelectorPluginConfig: {team: 'a in (b)'}": `couldn't init admission plugin "PodNodeSelector": configuration: podNodeSelectorPluginConfig.team: invalid selector: [a in (b)]`,
		"podNodeSelectorPluginConfig: zone=a":             `couldn't init admission plugin "PodNodeSelector": configuration: podNodeSelectorPluginConfig: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type map[string]string`,
		"imagePolicy: {kubeConfigFile: x}":                "",
	} {
		plugins := admission.NewPlugins()
		nodeselector.Register(plugins)
		_, err := plugins.InitPlugin("PodNodeSelector", strings.NewReader(config), admission.PluginInitializers{})
		if want == "" {
			want = `failed to initialize admission plugin "PodNodeSelector": missing namespaceLister`
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", config, err, want)
		}
	}
}
