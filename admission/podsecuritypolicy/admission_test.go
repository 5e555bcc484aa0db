// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package podsecuritypolicy_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/podsecuritypolicy"
	"github.com/stoa-project/stoa/apis/core"
)

// free is a policy that allows everything that has a rule.
const free = "runAsUser: {rule: RunAsAny}\nseLinux: {rule: RunAsAny}\nfsGroup: {rule: RunAsAny}\nsupplementalGroups: {rule: RunAsAny}\n"

// policy returns a policy whose spec is free but for what it says itself.
func policy(t *testing.T, name string, annotations map[string]string, spec string) *unstructured.Unstructured {
	t.Helper()
	content := map[string]any{}
	for _, text := range []string{free, spec} {
		part := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &part); err != nil {
			t.Fatal(err)
		}
		maps.Copy(content, part)
	}
	out := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "spec": content}}
	data, err := out.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := out.UnmarshalJSON(data); err != nil { // numbers as a server sends them
		t.Fatal(err)
	}
	out.SetName(name)
	out.SetAnnotations(annotations)
	return out
}

func client(policies ...*unstructured.Unstructured) dynamic.Interface {
	objects := make([]runtime.Object, len(policies))
	for i, p := range policies {
		objects[i] = p
	}
	kinds := map[schema.GroupVersionResource]string{{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"}: "PodSecurityPolicyList"}
	return fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)
}

// start returns the plugin with policies. who says which user may use which of them.
func start(t *testing.T, who func(user, policy string) bool, policies ...*unstructured.Unstructured) *admissiontest.Plugin {
	t.Helper()
	return admissiontest.Start(t, podsecuritypolicy.Register, admissiontest.Plugin{Dynamic: client(policies...), Allow: func(a authorizer.Attributes) bool {
		return a.GetVerb() == "use" && a.GetNamespace() == "n" && a.GetAPIGroup() == "policy" && a.GetResource() == "podsecuritypolicies" && who(a.GetUser().GetName(), a.GetName())
	}})
}

func anybody(string, string) bool { return true }

// pod returns a pod with a container c and what else the text says.
func pod(t *testing.T, text string) *core.Pod {
	t.Helper()
	out := &core.Pod{}
	if err := yaml.UnmarshalStrict([]byte(text), out); err != nil {
		t.Fatal(err)
	}
	if out.Spec.Containers == nil {
		out.Spec.Containers = []corev1.Container{{Name: "c"}}
	}
	return out
}

func request(obj, old *core.Pod, subresource string) admissiontest.Request {
	r := admissiontest.Request{Obj: obj, Resource: corev1.SchemeGroupVersion.WithResource("pods"), Subresource: subresource}
	if old != nil {
		r.Old = old
	}
	return r
}

// TestRules has one policy, and pods that it allows, changes or refuses.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, tc := range ruleCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, anybody, policy(t, "p", tc.annotations, tc.policy))
			obj, want := pod(t, tc.pod), tc.refused
			err := p.Do(t.Context(), request(obj, nil, ""))
			if want != "" {
				want = `pods "x" is forbidden: PodSecurityPolicy: unable to admit pod: [` + want + "]"
			}
			admissiontest.Check(t, err, want)
			if err != nil {
				return
			}
			made := pod(t, cmpOr(tc.made, tc.pod))
			metav1.SetMetaDataAnnotation(&made.ObjectMeta, "kubernetes.io/psp", "p")
			if diff := cmp.Diff(made, obj); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// cmpOr is the function of the standard library whose name is taken here.
func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// TestChoice has several policies, and users who may use some of them.
func TestChoice(t *testing.T) {
	t.Parallel()
	const (
		plain      = "{}"
		root       = "{spec: {securityContext: {runAsUser: 0}}}"
		privileged = "{spec: {containers: [{name: c, securityContext: {privileged: true}}]}}"
		account    = "{spec: {serviceAccountName: robot}}"
	)
	policies := func(t *testing.T) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{
			policy(t, "a-user", nil, "runAsUser: {rule: MustRunAs, ranges: [{min: 5, max: 9}]}"),
			policy(t, "b-user", nil, "runAsUser: {rule: MustRunAs, ranges: [{min: 7, max: 9}]}"),
			policy(t, "c-free", nil, ""),
			policy(t, "d-free", nil, ""),
			policy(t, "e-all", nil, "privileged: true"),
			policy(t, "a-incomplete", nil, "fsGroup: {rule: MustRunAs}"),
		}
	}
	const forbidden = `pods "x" is forbidden: PodSecurityPolicy: unable to admit pod: `
	for name, tc := range map[string]struct {
		allowed []string // users and policies
		pod     string
		want    string // the policy
		err     string
	}{
		"without a change before by name": {allowed: []string{"jane a-user", "jane d-free", "jane c-free"}, pod: plain, want: "c-free"},
		"by name":                         {allowed: []string{"jane b-user", "jane a-user"}, pod: plain, want: "a-user"},
		"only what may be used":           {allowed: []string{"jane b-user"}, pod: plain, want: "b-user"},
		"what allows it":                  {allowed: []string{"jane a-user", "jane d-free", "jane e-all"}, pod: privileged, want: "e-all"},
		"by the service account":          {allowed: []string{"system:serviceaccount:n:robot d-free"}, pod: account, want: "d-free"},
		"of another service account":      {allowed: []string{"system:serviceaccount:n:other d-free"}, pod: account, err: forbidden + "[]"},
		"nothing may be used":             {pod: plain, err: forbidden + "[]"},
		"incomplete":                      {allowed: []string{"jane a-incomplete"}, pod: plain, err: forbidden + "[]"},
		"errors of what may be used, by name": {
			allowed: []string{"jane b-user", "jane a-user"}, pod: root,
			err: forbidden + "[spec.containers[0].securityContext.runAsUser: Invalid value: 0: must be in the ranges: [{5 9}] " +
				"spec.containers[0].securityContext.runAsUser: Invalid value: 0: must be in the ranges: [{7 9}]]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			may := func(user, policy string) bool { return slices.Contains(tc.allowed, user+" "+policy) }
			obj := pod(t, tc.pod)
			admissiontest.Check(t, start(t, may, policies(t)...).Do(t.Context(), request(obj, nil, "")), tc.err)
			if got := obj.Annotations["kubernetes.io/psp"]; got != tc.want {
				t.Errorf("made by %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNoPolicies(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*admissiontest.Plugin{
		"none":       start(t, anybody),
		"incomplete": start(t, anybody, policy(t, "p", nil, "seLinux: {rule: MustRunAs}")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := p.Do(t.Context(), request(pod(t, "{}"), nil, ""))
			admissiontest.Check(t, err, `pods "x" is forbidden: PodSecurityPolicy: no providers available to validate pod request`)
		})
	}
}

// TestExtensions takes roles that name the group that had the kind first.
func TestExtensions(t *testing.T) {
	t.Parallel()
	p := admissiontest.Start(t, podsecuritypolicy.Register, admissiontest.Plugin{
		Dynamic: client(policy(t, "p", nil, "")),
		Allow:   func(a authorizer.Attributes) bool { return a.GetAPIGroup() == "extensions" && a.GetVerb() == "use" },
	})
	admissiontest.Check(t, p.Do(t.Context(), request(pod(t, "{}"), nil, "")), "")
}

// TestUpdate judges what there is: a pod is not made anew.
func TestUpdate(t *testing.T) {
	t.Parallel()
	const (
		user   = "runAsUser: {rule: MustRunAs, ranges: [{min: 5, max: 9}]}"
		five   = "securityContext: {runAsUser: 5}"
		failed = `pods "x" is forbidden: PodSecurityPolicy: unable to validate pod: `
	)
	for name, tc := range map[string]struct {
		old, obj    string
		subresource string
		made        string
		err         string
	}{
		"label of a pod that is allowed": {old: "{spec: {" + five + "}}", obj: "{metadata: {labels: {a: b}}, spec: {" + five + "}}"},
		"label of a pod that lacks what is demanded": {
			old: "{}", obj: "{metadata: {labels: {a: b}}}", err: failed + "[]",
		},
		"label of a pod that is not allowed": {
			old: "{spec: {securityContext: {runAsUser: 0}}}", obj: "{metadata: {labels: {a: b}}, spec: {securityContext: {runAsUser: 0}}}",
			err: failed + "[spec.containers[0].securityContext.runAsUser: Invalid value: 0: must be in the ranges: [{5 9}]]",
		},
		"owners alone": {
			old: "{}", obj: "{metadata: {finalizers: [a.b/c], ownerReferences: [{kind: Node, name: n, apiVersion: v1, uid: u}]}}",
		},
		"status": {old: "{}", obj: "{metadata: {labels: {a: b}}}", subresource: "status"},
		"ephemeral container that is made": {
			old: "{spec: {" + five + "}}", subresource: "ephemeralcontainers",
			obj:  "{spec: {" + five + ", ephemeralContainers: [{name: e}]}}",
			made: "{metadata: {annotations: {kubernetes.io/psp: p}}, spec: {" + five + ", ephemeralContainers: [{name: e}]}}",
		},
		"ephemeral container with a default": {
			old: "{spec: {containers: [{name: c, " + five + "}]}}", subresource: "ephemeralcontainers",
			obj:  "{spec: {containers: [{name: c, " + five + "}], ephemeralContainers: [{name: e}]}}",
			made: "{metadata: {annotations: {kubernetes.io/psp: p}}, spec: {containers: [{name: c, " + five + "}], ephemeralContainers: [{name: e, " + five + "}]}}",
		},
		"ephemeral container that is refused": {
			old: "{spec: {" + five + "}}", subresource: "ephemeralcontainers",
			obj: "{spec: {" + five + ", ephemeralContainers: [{name: e, securityContext: {privileged: true, runAsUser: 1}}]}}",
			err: `pods "x" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.ephemeralContainers[0].securityContext.runAsUser: Invalid value: 1: must be in the ranges: [{5 9}] ` +
				"spec.ephemeralContainers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obj := pod(t, tc.obj)
			err := start(t, anybody, policy(t, "p", nil, user)).Do(t.Context(), request(obj, pod(t, tc.old), tc.subresource))
			admissiontest.Check(t, err, tc.err)
			if diff := cmp.Diff(pod(t, cmpOr(tc.made, tc.obj)), obj); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestOthers leaves alone what is no pod, and refuses what should be one.
func TestOthers(t *testing.T) {
	t.Parallel()
	p := start(t, anybody)
	admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{Obj: &core.Node{}, Resource: corev1.SchemeGroupVersion.WithResource("nodes")}), "")
	admissiontest.Check(t, p.Do(t.Context(), admissiontest.Request{Obj: &corev1.Pod{}, Resource: corev1.SchemeGroupVersion.WithResource("pods")}),
		`pods "x" is forbidden: unexpected type *v1.Pod`)
}
