// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/stoatest"
)

// manifestFile writes a file of a folder of manifests, at once as a whole.
func manifestFile(t *testing.T, folder, name, text string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path+".next", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}

// staticConfiguration has the plugins for webhooks and policies read folders, by plugin.
func staticConfiguration(t *testing.T, folders map[string]string) string {
	t.Helper()
	text := "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"
	for plugin, folder := range folders {
		kind := plugin + "Configuration"
		if strings.HasSuffix(plugin, "Webhook") {
			kind = "WebhookAdmissionConfiguration"
		}
		text += fmt.Sprintf("- {name: %s, configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: %s, staticManifestsDir: %s}}\n", plugin, kind, folder)
	}
	return secretFile(t, "admission.yaml", text)
}

const (
	staticPolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-%[1]s.static.k8s.io}
spec:
  matchConstraints: {resourceRules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE], resources: [configmaps, mutatingwebhookconfigurations, validatingadmissionpolicies]}]}
  validations: [{expression: "object.metadata.name != '%[1]s'"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-%[1]s.static.k8s.io}
spec: {policyName: no-%[1]s.static.k8s.io, validationActions: [Deny]}
`
	staticMutation = `
apiVersion: v1
kind: List
items:
- apiVersion: admissionregistration.k8s.io/v1
  kind: MutatingAdmissionPolicy
  metadata: {name: label.static.k8s.io}
  spec:
    reinvocationPolicy: Never
    matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}
    mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: "Object{metadata: Object.metadata{labels: {'by': 'policy'}}}"}}]
- apiVersion: admissionregistration.k8s.io/v1
  kind: MutatingAdmissionPolicyBinding
  metadata: {name: label.static.k8s.io}
  spec: {policyName: label.static.k8s.io}
`
	staticHook = `
apiVersion: admissionregistration.k8s.io/v1
kind: %s
metadata: {name: hook.static.k8s.io}
webhooks:
- name: hook.static.k8s.io
  clientConfig: {url: %q, caBundle: %s}
  rules: [{apiGroups: ["*"], apiVersions: ["*"], resources: [configmaps, validatingwebhookconfigurations], operations: [CREATE]}]
  objectSelector: {matchLabels: {by: policy}}
  sideEffects: None
  admissionReviewVersions: [v1]
`
)

// TestManifests keeps webhooks and policies in files: they hold from the first request
// on, also for webhooks and policies of the API, and change with the files.
func TestManifests(t *testing.T) {
	t.Parallel()
	h := newHook(t, answers)
	folders := map[string]string{}
	for _, plugin := range []string{"ValidatingAdmissionPolicy", "MutatingAdmissionPolicy", "ValidatingAdmissionWebhook", "MutatingAdmissionWebhook"} {
		folders[plugin] = t.TempDir()
	}
	ca := base64.StdEncoding.EncodeToString(h.ca())
	manifestFile(t, folders["ValidatingAdmissionPolicy"], "policies.yaml", fmt.Sprintf(staticPolicy, "forbidden"))
	manifestFile(t, folders["MutatingAdmissionPolicy"], "policies.yaml", staticMutation)
	manifestFile(t, folders["ValidatingAdmissionWebhook"], "hooks.yaml", fmt.Sprintf(staticHook, "ValidatingWebhookConfiguration", h.URL+"/refuse", ca))
	manifestFile(t, folders["MutatingAdmissionWebhook"], "hooks.yaml", fmt.Sprintf(staticHook, "MutatingWebhookConfiguration", h.URL+"/", ca))
	client := clientFor(t, stoatest.Start(t, stoatest.WithFlags("--admission-control-config-file="+staticConfiguration(t, folders))).Config())
	const refused, denied = `admission webhook "hook.static.k8s.io" denied the request: not this one`, "ValidatingAdmissionPolicy 'no-%[1]s.static.k8s.io' with binding 'no-%[1]s.static.k8s.io' denied request: failed expression: object.metadata.name != '%[1]s'"

	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{})
	if text(err) != refused {
		t.Errorf("got %q, want %q", text(err), refused)
	}
	if asked := len(h.requests("a")); asked != 2 {
		t.Errorf("%d webhooks saw the label of the policy, want 2", asked)
	}
	hooks := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "b", Labels: map[string]string{"by": "policy"}}}
	_, err = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), hooks, metav1.CreateOptions{})
	if text(err) != refused {
		t.Errorf("a webhook of the API: got %q, want %q", text(err), refused)
	}
	forbidden := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "forbidden"}}
	_, err = client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), forbidden, metav1.CreateOptions{})
	if want := `mutatingwebhookconfigurations.admissionregistration.k8s.io "forbidden" is forbidden: ` + fmt.Sprintf(denied, "forbidden"); text(err) != want {
		t.Errorf("a webhook of the API: got %q, want %q", text(err), want)
	}

	manifestFile(t, folders["ValidatingAdmissionWebhook"], "hooks.yaml", "")
	manifestFile(t, folders["ValidatingAdmissionPolicy"], "policies.yaml", fmt.Sprintf(staticPolicy, "novel"))
	want := `configmaps "novel" is forbidden: ` + fmt.Sprintf(denied, "novel")
	eventually(t, func() string {
		if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), newConfigMap("novel", "1"), metav1.CreateOptions{}); text(err) != want {
			return text(err)
		}
		_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), newConfigMap("forbidden", "1"), metav1.CreateOptions{})
		return text(err)
	})
}

// TestManifestNames are not for objects of the API.
func TestManifestNames(t *testing.T) {
	t.Parallel()
	const name = "x.static.k8s.io"
	create, meta := metav1.CreateOptions{}, metav1.ObjectMeta{Name: name}
	client := coreClient(t).AdmissionregistrationV1()
	refusal := func(kind string) string {
		return kind + `.admissionregistration.k8s.io "` + name + `" is invalid: metadata.name: Invalid value: "` + name +
			`": names ending with ".static.k8s.io" are reserved for static manifest-based configurations and cannot be managed via the API`
	}
	for kind, do := range map[string]func() error{
		"ValidatingWebhookConfiguration": func() error {
			_, err := client.ValidatingWebhookConfigurations().Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta}, create)
			return err
		},
		"MutatingWebhookConfiguration": func() error {
			_, err := client.MutatingWebhookConfigurations().Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: meta}, create)
			return err
		},
		"ValidatingAdmissionPolicyBinding": func() error {
			_, err := client.ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
				ObjectMeta: meta, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "p", ValidationActions: []admissionregistrationv1.ValidationAction{"Deny"}},
			}, create)
			return err
		},
		"MutatingAdmissionPolicyBinding": func() error {
			_, err := client.MutatingAdmissionPolicyBindings().Create(t.Context(), &admissionregistrationv1.MutatingAdmissionPolicyBinding{
				ObjectMeta: meta, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: "p"},
			}, create)
			return err
		},
	} {
		if got := text(do()); got != refusal(kind) {
			t.Errorf("got  %s\nwant %s", got, refusal(kind))
		}
	}
}

// TestBadManifests keep the server from starting.
func TestBadManifests(t *testing.T) {
	t.Parallel()
	hook := func(name, client string) string {
		return fmt.Sprintf("apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: %s}\nwebhooks:\n"+
			"- {name: a.example.com, clientConfig: %s, sideEffects: None, admissionReviewVersions: [v1]}\n", name, client)
	}
	const good = "{url: 'https://127.0.0.1/'}"
	for name, tc := range map[string]struct{ plugin, text, want string }{
		"another name":  {"ValidatingAdmissionWebhook", hook("a", good), `"a" in file "FOLDER/a.yaml" must have a name ending with ".static.k8s.io"`},
		"a service":     {"ValidatingAdmissionWebhook", hook("a.static.k8s.io", "{service: {name: a, namespace: b}}"), `webhook "a.example.com" in "a.static.k8s.io" (file "FOLDER/a.yaml"): clientConfig.service is not supported for static manifests; use clientConfig.url instead`},
		"invalid":       {"ValidatingAdmissionWebhook", hook("a.static.k8s.io", "{url: 'http://127.0.0.1/'}"), `error loading FOLDER/a.yaml: ValidatingWebhookConfiguration "a.static.k8s.io": webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`},
		"unknown field": {"ValidatingAdmissionWebhook", strings.Replace(hook("a.static.k8s.io", good), "sideEffects", "effects", 1), `error loading FOLDER/a.yaml: strict decoding error: unknown field "webhooks[0].effects"`},
		"another kind":  {"MutatingAdmissionWebhook", hook("a.static.k8s.io", good), `error loading FOLDER/a.yaml: unrecognized resource type`},
		"not served":    {"MutatingAdmissionPolicy", "apiVersion: v1\nkind: Pod\n", `error loading FOLDER/a.yaml: no kind "Pod" is registered for version "v1" in scheme`},
		"no policy":     {"ValidatingAdmissionPolicy", strings.SplitAfterN(fmt.Sprintf(staticPolicy, "x"), "---", 2)[1], `binding "no-x.static.k8s.io" references policy "no-x.static.k8s.io"`},
		"no folder":     {"MutatingAdmissionPolicy", "", `staticManifestsDir: Invalid value: "FOLDER": unable to read: stat FOLDER: no such file or directory`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if tc.text == "" {
				folder = filepath.Join(folder, "none")
			} else {
				manifestFile(t, folder, "a.yaml", tc.text)
			}
			err := startError(t, "--admission-control-config-file="+staticConfiguration(t, map[string]string{tc.plugin: folder}))
			if got := strings.ReplaceAll(text(err), folder, "FOLDER"); !strings.Contains(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
