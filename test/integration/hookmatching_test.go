// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestWebhookMatching looks at which requests reach a webhook.
func TestWebhookMatching(t *testing.T) {
	t.Parallel()
	h := newHook(t, allow)
	for name, tc := range map[string]struct {
		more string
		// labels are those of the object, asking is who makes it.
		labels map[string]string
		asking string
		seen   bool
		want   string
	}{
		"everything":                {seen: true},
		"another operation":         {more: `rules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [UPDATE]}]`},
		"another resource":          {more: `rules: [{apiGroups: [""], apiVersions: [v1], resources: [secrets], operations: ["*"]}]`},
		"another scope":             {more: `rules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: ["*"], scope: Cluster}]`},
		"subresources":              {more: `rules: [{apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: ["*"]}]`, seen: true},
		"another namespace":         {more: `namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: none}}`},
		"an object selected":        {more: `objectSelector: {matchExpressions: [{key: a, operator: Exists}]}`, labels: map[string]string{"a": "b"}, seen: true},
		"an object not selected":    {more: `objectSelector: {matchExpressions: [{key: a, operator: Exists}]}`},
		"a condition":               {more: `matchConditions: [{name: a, expression: "request.name == 'a' && object.data.value == '1'"}]`, seen: true},
		"a condition not met":       {more: `matchConditions: [{name: a, expression: "true"}, {name: b, expression: "!request.name.startsWith('a')"}]`},
		"a condition on the caller": {more: `matchConditions: [{name: a, expression: "request.userInfo.username == 'jane'"}]`, asking: "jane", seen: true},
		"a condition on rights": {
			more: `matchConditions: [{name: a, expression: "!authorizer.group('').resource('nodes').check('get').allowed()"}]`, asking: "jane", seen: true,
		},
		"a condition that cannot be judged": {
			more: `matchConditions: [{name: a, expression: "object.data.none == 'a'"}]`,
			want: `configmaps "a" is forbidden: expression 'object.data.none == 'a'' resulted in error: no such key: none`,
		},
		"a condition that cannot be judged and is ignored": {more: "{failurePolicy: Ignore, matchConditions: [{name: a, expression: \"object.data.none == 'a'\"}]}"},
		"false before a failure":                           {more: `matchConditions: [{name: a, expression: "object.data.none == 'a'"}, {name: b, expression: "false"}]`},
	} {
		for kind, label := range map[schema.GroupVersionResource]string{validatingHooks: "validating", mutatingHooks: "mutating"} {
			t.Run(name+"/"+label, func(t *testing.T) {
				t.Parallel()
				namespace := newNamespace(t)
				bind(t, namespace, "edit", "jane")
				register(t, api, kind, webhook(t, "x.example.com", namespace, h.at("/"+label+"/"+name), tc.more))
				client := coreClient(t)
				if tc.asking != "" {
					client = as(t, tc.asking)
				}
				made := newConfigMap("a", "1")
				made.Labels = tc.labels
				err := error(nil)
				eventually(t, func() string { // the right of the caller is known a moment later
					_, err = client.CoreV1().ConfigMaps(namespace).Create(t.Context(), made, metav1.CreateOptions{})
					if tc.asking != "" && err != nil && strings.Contains(err.Error(), "cannot create resource") {
						return err.Error()
					}
					return ""
				})
				if got := text(err); got != tc.want {
					t.Errorf("got  %s\nwant %s", got, tc.want)
				}
				seen := 0
				for _, r := range h.requests("a") {
					if r.Namespace == namespace {
						seen++
					}
				}
				if (seen == 1) != tc.seen {
					t.Errorf("the webhook was asked %d times, want it to be asked: %t", seen, tc.seen)
				}
			})
		}
	}
}

// TestWebhookMatchPolicy writes another version than that which the rule names.
func TestWebhookMatchPolicy(t *testing.T) {
	t.Parallel()
	h := newHook(t, func(_ string, request *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse {
		var seen unstructured.Unstructured
		if err := json.Unmarshal(request.Object.Raw, &seen.Object); err != nil {
			return refuse(err.Error())
		}
		limit, _, _ := unstructured.NestedSlice(seen.Object, "spec", "metrics")
		if len(limit) != 1 {
			return refuse("this is not version 2: " + string(request.Object.Raw))
		}
		return admissionv1.AdmissionResponse{Patch: []byte(`[{"op": "replace", "path": "/spec/metrics/0/resource/target/averageUtilization", "value": 42}]`)}
	})
	for policy, want := range map[string]int32{"Equivalent": 42, "Exact": 70} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			register(t, api, mutatingHooks, webhook(t, "x.example.com", namespace, h.at("/"), "matchPolicy: "+policy+`
rules: [{apiGroups: [autoscaling], apiVersions: [v2], resources: [horizontalpodautoscalers], operations: [CREATE]}]`))
			made, err := coreClient(t).AutoscalingV1().HorizontalPodAutoscalers(namespace).Create(t.Context(), &autoscalingv1.HorizontalPodAutoscaler{
				ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(policy)},
				Spec: autoscalingv1.HorizontalPodAutoscalerSpec{
					MaxReplicas: 2, TargetCPUUtilizationPercentage: new(int32(70)),
					ScaleTargetRef: autoscalingv1.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "a"},
				},
			}, metav1.CreateOptions{})
			if err != nil || *made.Spec.TargetCPUUtilizationPercentage != want {
				t.Fatalf("got %+v, %v, want %d", made, err, want)
			}
			for _, r := range h.requests(made.Name) {
				got := []string{r.Kind.Version, r.Resource.Version, r.RequestKind.Version, r.RequestResource.Version}
				if diff := cmp.Diff([]string{"v2", "v2", "v1", "v1"}, got); diff != "" {
					t.Errorf("versions of kind, resource, and those of the request (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestWebhookDryRun asks webhooks about requests that are not to change anything.
func TestWebhookDryRun(t *testing.T) {
	t.Parallel()
	h := newHook(t, allow)
	for effects, want := range map[string]string{
		"None": "", "NoneOnDryRun": "",
	} {
		t.Run(effects, func(t *testing.T) {
			t.Parallel()
			namespace, name := newNamespace(t), strings.ToLower(effects)
			register(t, api, validatingHooks, webhook(t, "x.example.com", namespace, h.at("/"), "sideEffects: "+effects))
			_, err := coreClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap(name, "1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if text(err) != want {
				t.Errorf("got %q, want %q", text(err), want)
			}
			requests := h.requests(name)
			if len(requests) != 1 || requests[0].DryRun == nil || !*requests[0].DryRun {
				t.Errorf("the webhook was asked %+v, want one dry run", requests)
			}
		})
	}
}

// TestWebhookReinvocation has a webhook that asks to be called again, and one that does
// not, before one that changes what they saw.
func TestWebhookReinvocation(t *testing.T) {
	t.Parallel()
	h := newHook(t, func(path string, request *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse {
		var seen corev1.ConfigMap
		if err := json.Unmarshal(request.Object.Raw, &seen); err != nil {
			return refuse(err.Error())
		}
		data := seen.Data
		switch path {
		case "/last":
			data["last"] = "yes"
		default:
			data[strings.TrimPrefix(path, "/")] += "|" + strings.TrimSuffix("saw "+data["last"], " ")
		}
		value, err := json.Marshal(data)
		if err != nil {
			return refuse(err.Error())
		}
		return admissionv1.AdmissionResponse{Patch: []byte(`[{"op": "replace", "path": "/data", "value": ` + string(value) + `}]`)}
	})
	namespace := newNamespace(t)
	register(t, api, mutatingHooks,
		webhook(t, "again.example.com", namespace, h.at("/again"), "reinvocationPolicy: IfNeeded"),
		webhook(t, "never.example.com", namespace, h.at("/never"), "reinvocationPolicy: Never"),
		webhook(t, "last.example.com", namespace, h.at("/last"), ""))
	made, err := coreClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"value": "1", "again": "|saw|saw yes", "never": "|saw", "last": "yes"}
	if diff := cmp.Diff(want, made.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

// warned collects the warnings of answers.
type warned struct{ texts []string }

// HandleWarningHeader implements rest.WarningHandler.
func (w *warned) HandleWarningHeader(_ int, _, message string) { w.texts = append(w.texts, message) }

var _ rest.WarningHandler = (*warned)(nil)

// TestWebhookTraces looks at what webhooks leave: warnings, and annotations of audit events.
func TestWebhookTraces(t *testing.T) {
	t.Parallel()
	server, log := audited(t, "omitStages: [RequestReceived]\nrules:\n- {level: Request, users: [stoa-admin], resources: [{resources: [configmaps]}], verbs: [create], namespaces: [default]}\n")
	h := newHook(t, func(path string, _ *admissionv1.AdmissionRequest) admissionv1.AdmissionResponse {
		out := admissionv1.AdmissionResponse{Warnings: []string{"from " + path}, AuditAnnotations: map[string]string{"key": path}}
		if path == "/change" {
			out.Patch = []byte(`[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]`)
		}
		return out
	})
	away := newHook(t, allow)
	away.Close()
	changing := register(t, server, mutatingHooks, webhook(t, "change.example.com", "default", h.at("/change"), ""))
	judging := register(t, server, validatingHooks,
		webhook(t, "away.example.com", "default", away.at("/"), "failurePolicy: Ignore"), webhook(t, "judge.example.com", "default", h.at("/judge"), ""))
	config, heard := server.Config(), &warned{}
	config.WarningHandler = heard
	if _, err := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps("default").Create(t.Context(), newConfigMap("a", "1"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"from /change", "from /judge"}, heard.texts); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	server.Stop()
	events := auditEvents(t, log)
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	got := map[string]string{}
	for key, value := range events[0].Annotations {
		if !strings.HasPrefix(key, "authorization.k8s.io/") && !strings.HasPrefix(key, "apiserver.latency.k8s.io/") { // the second of slow requests
			got[key] = value
		}
	}
	want := map[string]string{
		"change.example.com/key": "/change", "judge.example.com/key": "/judge",
		"failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "away.example.com",
		"mutation.webhook.admission.k8s.io/round_0_index_0":               `{"configuration":"` + changing + `","webhook":"change.example.com","mutated":true}`,
		"patch.webhook.admission.k8s.io/round_0_index_0": `{"configuration":"` + changing + `","webhook":"change.example.com","patch":` +
			`[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}],"patchType":"JSONPatch"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations while %s judged (-want +got):\n%s", judging, diff)
	}
}
