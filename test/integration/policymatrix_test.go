// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/stoatest"
)

// policy is a policy of either kind with its binding, both without what all have.
type policy struct {
	mutates       bool
	spec, binding string
	// name is that of both. Unset: that of the namespace.
	name string
}

// add makes the policy for the config maps of a namespace, and wants it
// to be accepted.
func (p policy) add(t *testing.T, server *stoatest.Server, namespace string) {
	t.Helper()
	kind, resource := "ValidatingAdmissionPolicy", "validatingadmissionpolicies"
	if p.mutates {
		kind, resource = "MutatingAdmissionPolicy", "mutatingadmissionpolicies"
	}
	name := p.name
	if name == "" {
		name = namespace
	}
	client := dynamic.NewForConfigOrDie(server.Config())
	for _, part := range []struct{ kind, resource, spec string }{
		{kind, resource, `
matchConstraints:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
  resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
` + p.spec},
		{kind + "Binding", strings.TrimSuffix(resource, "ies") + "ybindings", "policyName: " + name + "\n" + p.binding},
	} {
		var spec map[string]any
		if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(part.spec, "NAME", namespace)), &spec); err != nil {
			t.Fatal(err)
		}
		at := client.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: part.resource})
		obj := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": part.kind, "metadata": map[string]any{"name": name}, "spec": spec,
		}}
		if _, err := at.Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// known waits until the server knows the policy, which is when it knows a later one.
func (p policy) known(t *testing.T, namespace string) {
	t.Helper()
	later := policy{spec: "validations: [{expression: 'object.metadata.name != \"later\"'}]", binding: "validationActions: [Deny]\n", name: namespace + "-later"}
	if p.mutates {
		later.mutates = true
		later.spec = "reinvocationPolicy: Never\nmatchConditions: [{name: c, expression: 'object.metadata.name == \"later\"'}]\n" +
			"mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{metadata: Object.metadata{annotations: {\"later\": \"yes\"}}}'}}]"
		later.binding = ""
	}
	later.add(t, api, namespace)
	eventually(t, func() string {
		made, err := coreClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("later", "1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && made.Annotations["later"] == "" {
			return "the policy is not known"
		}
		return ""
	})
}

// decision is what came of the creation of a config map.
type decision struct {
	err      string
	warnings []string
	labels   map[string]string
}

// TestPolicyMatrix has policies of both kinds with all that they can say.
func TestPolicyMatrix(t *testing.T) {
	t.Parallel()
	const deny = "validationActions: [Deny]\n"
	const byName = "paramRef: {name: few, namespace: NAME, parameterNotFoundAction: Deny}\n"
	// Who is named a has the value 1; it is created by jane, who may edit the namespace.
	denied := func(message string) decision {
		return decision{err: `configmaps "a" is forbidden: ValidatingAdmissionPolicy 'NAME' with binding 'NAME' denied request: ` + message}
	}
	for name, tc := range map[string]struct {
		policy
		want decision
	}{
		"expression":                   {policy{spec: "validations: [{expression: 'object.data.value != \"1\"'}]", binding: deny}, denied(`failed expression: object.data.value != "1"`)},
		"message":                      {policy{spec: "validations: [{expression: 'false', message: nay}]", binding: deny}, denied("nay")},
		"messageExpression":            {policy{spec: "validations: [{expression: 'false', message: nay, messageExpression: '\"not \" + object.metadata.name'}]", binding: deny}, denied("not a")},
		"messageExpression that fails": {policy{spec: "validations: [{expression: 'false', message: nay, messageExpression: 'string(object.data.none)'}]", binding: deny}, denied("nay")},
		"reason":                       {policy{spec: "validations: [{expression: 'false', reason: Invalid, message: nay}]", binding: deny}, decision{err: `configmaps "a" is forbidden: ValidatingAdmissionPolicy 'NAME' with binding 'NAME' denied request: nay`}},
		"variables":                    {policy{spec: "variables: [{name: v, expression: 'object.data.value'}, {name: w, expression: 'variables.v + variables.v'}]\nvalidations: [{expression: 'variables.w == \"11\"'}, {expression: 'variables.w == \"12\"', message: sum}]", binding: deny}, denied("sum")},
		"namespace":                    {policy{spec: "validations: [{expression: 'namespaceObject.metadata.name != request.namespace', message: same}]", binding: deny}, denied("same")},
		"rights":                       {policy{spec: "validations: [{expression: 'authorizer.group(\"\").resource(\"nodes\").check(\"get\").allowed()', messageExpression: 'request.userInfo.username'}]", binding: deny}, denied("jane")},
		"condition not met":            {policy{spec: "matchConditions: [{name: c, expression: 'object.metadata.name == \"b\"'}]\nvalidations: [{expression: 'false'}]", binding: deny}, decision{}},
		"error":                        {policy{spec: "validations: [{expression: 'object.data.none == \"1\"'}]", binding: deny}, denied(`expression 'object.data.none == "1"' resulted in error: no such key: none`)},
		"error, ignored":               {policy{spec: "failurePolicy: Ignore\nvalidations: [{expression: 'object.data.none == \"1\"'}]", binding: deny}, decision{}},
		"warn":                         {policy{spec: "validations: [{expression: 'false', message: mind}]", binding: "validationActions: [Warn, Audit]\n"}, decision{warnings: []string{"Validation failed for ValidatingAdmissionPolicy 'NAME' with binding 'NAME': mind"}}},
		"binding elsewhere":            {policy{spec: "validations: [{expression: 'false'}]", binding: deny + "matchResources: {namespaceSelector: {matchLabels: {none: none}}}\n"}, decision{}},
		"parameter":                    {policy{spec: "paramKind: {apiVersion: v1, kind: ConfigMap}\nvalidations: [{expression: 'object.data.value != params.data.limit', messageExpression: 'string(params.metadata.name)'}]", binding: deny + byName}, denied("few")},
		"parameter, selected": {policy{spec: "paramKind: {apiVersion: v1, kind: ConfigMap}\nvalidations: [{expression: 'object.data.value != params.data.limit', message: selected}]",
			binding: deny + "paramRef: {selector: {matchLabels: {kind: limit}}, parameterNotFoundAction: Deny}\n"}, denied("selected")},
		"no parameter": {policy{spec: "paramKind: {apiVersion: v1, kind: ConfigMap}\nvalidations: [{expression: 'true'}]", binding: deny + "paramRef: {name: none, namespace: NAME, parameterNotFoundAction: Deny}\n"},
			denied("failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction")},
		"no parameter, allowed": {policy{spec: "paramKind: {apiVersion: v1, kind: ConfigMap}\nvalidations: [{expression: 'false'}]", binding: deny + "paramRef: {name: none, namespace: NAME, parameterNotFoundAction: Allow}\n"}, decision{}},

		"apply": {policy{mutates: true, spec: "reinvocationPolicy: Never\nmutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: {\"a\": object.data.value}}}'}}]"}, decision{labels: map[string]string{"a": "1"}}},
		"patch": {policy{mutates: true, spec: "reinvocationPolicy: Never\nvariables: [{name: v, expression: '\"b\"'}]\nmutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"add\", path: \"/metadata/labels\", value: {\"x\": variables.v}}, JSONPatch{op: \"test\", path: \"/data/value\", value: \"1\"}]'}}]"},
			decision{labels: map[string]string{"x": "b"}}},
		"patch that does not apply": {policy{mutates: true, spec: "reinvocationPolicy: Never\nmutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"remove\", path: \"/data/none\"}]'}}]"},
			decision{err: "policy 'NAME' with binding 'NAME' denied request: JSON Patch: error in remove for path: '/data/none': Unable to remove nonexistent key: none: missing value"}},
		"parameter of a mutation": {policy{mutates: true, spec: "paramKind: {apiVersion: v1, kind: ConfigMap}\nreinvocationPolicy: Never\nmutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: params.data}}'}}]",
			binding: byName}, decision{labels: map[string]string{"limit": "1"}}},
		"mutation of others": {policy{mutates: true, spec: "matchConditions: [{name: c, expression: 'object.metadata.name != \"a\"'}]\nreinvocationPolicy: Never\nmutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: {\"a\": \"b\"}}}'}}]"}, decision{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			bind(t, namespace, "edit", "jane")
			few := newConfigMap("few", "2")
			few.Labels, few.Data = map[string]string{"kind": "limit"}, map[string]string{"limit": "1"}
			if _, err := coreClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), few, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			tc.add(t, api, namespace)
			tc.known(t, namespace)
			want := decision{err: strings.ReplaceAll(tc.want.err, "NAME", namespace), labels: tc.want.labels}
			for _, warning := range tc.want.warnings {
				want.warnings = append(want.warnings, strings.ReplaceAll(warning, "NAME", namespace))
			}
			var got decision
			eventually(t, func() string { // rights, and policies, are known a moment later
				got = decide(t, namespace)
				return cmp.Diff(want, got, cmp.AllowUnexported(decision{}))
			})
		})
	}
}

// decide has jane create a config map, as a dry run.
func decide(t *testing.T, namespace string) decision {
	t.Helper()
	config, heard := api.Config(), &warned{}
	config.Impersonate.UserName, config.WarningHandler = "jane", heard
	made, err := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return decision{err: err.Error(), warnings: heard.texts}
	}
	return decision{warnings: heard.texts, labels: made.Labels}
}

// TestPolicyTypedParameters has the parameters be of a definition, with their types.
func TestPolicyTypedParameters(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	resource := define(t, widgets)
	if _, err := dynamicClient(t).Resource(resource).Namespace(namespace).Create(t.Context(), custom(resource, "Widget", "most", map[string]any{"color": "red", "replicas": int64(3)}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	policy{
		spec:    "paramKind: {apiVersion: " + resource.GroupVersion().String() + ", kind: Widget}\nvalidations: [{expression: 'int(object.data.value) >= params.spec.replicas + 1', messageExpression: 'string(params.spec.replicas) + \" \" + params.spec.color'}]",
		binding: "validationActions: [Deny]\nparamRef: {name: most, namespace: NAME, parameterNotFoundAction: Deny}\n",
	}.add(t, api, namespace)
	want := fmt.Sprintf(`configmaps "a" is forbidden: ValidatingAdmissionPolicy '%[1]s' with binding '%[1]s' denied request: 3 red`, namespace)
	eventually(t, func() string { // plugins look for new kinds every 30 seconds
		_, err := coreClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if text(err) != want {
			return "got " + text(err)
		}
		return ""
	})
	if _, err := coreClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("a", "4"), metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
}

// TestPolicyRights are those of who has the server read parameters: they are his own.
func TestPolicyRights(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	user := unique(t)
	grantEverywhere(t, user, []rbacv1.PolicyRule{
		{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}},
	})
	config := api.Config()
	config.Impersonate.UserName = user
	client := dynamic.NewForConfigOrDie(config)
	create := func(resource, kind, spec string) error {
		obj := &unstructured.Unstructured{}
		text := fmt.Sprintf("apiVersion: admissionregistration.k8s.io/v1\nkind: %s\nmetadata: {name: %s}\nspec: %s", kind, namespace, spec)
		if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
			return err
		}
		at := client.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: resource})
		_, err := at.Create(t.Context(), obj, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	const constraints = "matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}"
	validating := "{" + constraints + ", paramKind: {apiVersion: v1, kind: %s}, validations: [{expression: 'true'}]}"
	mutating := "{" + constraints + ", paramKind: {apiVersion: v1, kind: %s}, reinvocationPolicy: Never, mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"test\", path: \"/a\"}]'}}]}"
	who := fmt.Sprintf("&{%s  [system:authenticated] map[]}", user)
	secrets := fmt.Sprintf(`" is invalid: spec.paramKind: Forbidden: user %s must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)`, who)
	unread := func(verb string) string {
		return fmt.Sprintf(`" is invalid: spec.paramRef: Forbidden: user %s does not have %q permission on the object referenced by paramRef`, who, verb)
	}
	for _, tc := range []struct{ resource, kind, spec, want string }{
		{"validatingadmissionpolicies", "ValidatingAdmissionPolicy", fmt.Sprintf(validating, "ConfigMap"), ""},
		{"validatingadmissionpolicies", "ValidatingAdmissionPolicy", fmt.Sprintf(validating, "Secret"), secrets},
		{"mutatingadmissionpolicies", "MutatingAdmissionPolicy", fmt.Sprintf(mutating, "ConfigMap"), ""},
		{"mutatingadmissionpolicies", "MutatingAdmissionPolicy", fmt.Sprintf(mutating, "Secret"), secrets},
		{"validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", "{policyName: none, validationActions: [Deny], paramRef: {name: a, namespace: b, parameterNotFoundAction: Deny}}", unread("get")},
		{"mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", "{policyName: none, paramRef: {name: a, namespace: b, parameterNotFoundAction: Deny}}", unread("get")},
		{"mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", "{policyName: none, paramRef: {selector: {}, parameterNotFoundAction: Deny}}", unread("list")},
		{"mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", "{policyName: none}", ""},
	} {
		want := tc.want
		if want != "" {
			want = tc.kind + `.admissionregistration.k8s.io "` + namespace + want
		}
		eventually(t, func() string {
			if got := text(create(tc.resource, tc.kind, tc.spec)); got != want {
				return fmt.Sprintf("%s %s:\ngot  %s\nwant %s", tc.kind, tc.spec, got, want)
			}
			return ""
		})
	}
}
