// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/stoatest"
)

const (
	pspPath    = "/apis/policy/v1beta1/podsecuritypolicies"
	restricted = `{"apiVersion":"policy/v1beta1","kind":"PodSecurityPolicy","metadata":{"name":"restricted"},"spec":{"volumes":["secret"],` +
		`"runAsUser":{"rule":"MustRunAs","ranges":[{"min":1000,"max":2000}]},"seLinux":{"rule":"RunAsAny"},"fsGroup":{"rule":"RunAsAny"},"supplementalGroups":{"rule":"RunAsAny"}}}`
	unrestricted = `{"apiVersion":"policy/v1beta1","kind":"PodSecurityPolicy","metadata":{"name":"unrestricted"},"spec":{"privileged":true,"volumes":["*"],` +
		`"runAsUser":{"rule":"RunAsAny"},"seLinux":{"rule":"RunAsAny"},"fsGroup":{"rule":"RunAsAny"},"supplementalGroups":{"rule":"RunAsAny"}}}`
)

// policed is a server with the plugin PodSecurityPolicy and an account without rights.
type policed struct {
	*stoatest.Server
	kubernetes.Interface
	log string
}

func newPoliced(t *testing.T) policed {
	t.Helper()
	server, log := audited(t, "rules:\n- {level: Metadata, resources: [{resources: [pods]}]}\n", "--enable-admission-plugins=PodSecurityPolicy")
	p := policed{server, clientFor(t, server.Config()), log}
	account(t, p, "default")
	return p
}

// add creates a policy.
func (p policed) add(t *testing.T, policy string) {
	t.Helper()
	if got := do(t, request{method: "POST", path: pspPath, body: []byte(policy), config: p.Config()}); got.code != http.StatusCreated {
		t.Fatalf("%d %s", got.code, got.body)
	}
}

// grant gives a user, or service account, rights in the namespace default.
func (p policed) grant(t *testing.T, name string, to rbacv1.Subject, rule rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: name}
	if _, err := p.RbacV1().Roles("default").Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}, Subjects: []rbacv1.Subject{to}}
	if _, err := p.RbacV1().RoleBindings("default").Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// mayUse is the right to use a policy.
func mayUse(policy string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"policy"}, Resources: []string{"podsecuritypolicies"}, ResourceNames: []string{policy}, Verbs: []string{"use"}}
}

// editor returns a client of a user who may write pods.
func (p policed) editor(t *testing.T, user string) kubernetes.Interface {
	t.Helper()
	p.grant(t, user, userNamed(user), rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "pods/ephemeralcontainers"}, Verbs: []string{"create", "patch"}})
	return impersonate(t, p.Server, user)
}

func userNamed(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

// runPod makes a pod without a token.
func runPod(t *testing.T, client kubernetes.Interface, name string, change func(*corev1.Pod)) (*corev1.Pod, error) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		ServiceAccountName: "clerk", AutomountServiceAccountToken: new(false), Containers: []corev1.Container{{Name: "c", Image: "i"}},
	}}
	change(pod)
	return client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
}

func asItIs(*corev1.Pod) {}

func privileged(pod *corev1.Pod) {
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
}

// TestPodSecurityPolicies follows pods of users with different policies, by real roles.
func TestPodSecurityPolicies(t *testing.T) {
	t.Parallel()
	p := newPoliced(t)
	jane := p.editor(t, "jane")
	refused := func(client kubernetes.Interface, change func(*corev1.Pod), want string) {
		t.Helper()
		eventually(t, func() string { // roles and policies come by watches
			if _, err := runPod(t, client, "refused", change); text(err) != `pods "refused" is forbidden: PodSecurityPolicy: `+want {
				return text(err)
			}
			return ""
		})
	}
	refused(jane, asItIs, "no providers available to validate pod request")
	p.add(t, restricted)
	p.add(t, unrestricted)
	refused(jane, asItIs, "unable to admit pod: []")
	p.grant(t, "restricted", userNamed("jane"), mayUse("restricted"))
	refused(jane, privileged, "unable to admit pod: [spec.containers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed]")
	made, err := runPod(t, jane, "plain", asItIs)
	if err != nil {
		t.Fatal(err)
	}
	if made.Annotations["kubernetes.io/psp"] != "restricted" || *made.Spec.Containers[0].SecurityContext.RunAsUser != 1000 {
		t.Errorf("made %v, %v", made.Annotations, made.Spec.Containers[0].SecurityContext)
	}
	p.updates(t, jane)

	john := p.editor(t, "john") // who may use no policy
	refused(john, privileged, "unable to admit pod: []")
	p.grant(t, "unrestricted", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "clerk"}, mayUse("unrestricted"))
	eventually(t, func() string {
		made, err = runPod(t, john, "privileged", privileged)
		return text(err)
	})
	if made.Annotations["kubernetes.io/psp"] != "unrestricted" {
		t.Errorf("made %v", made.Annotations)
	}
	p.Stop()
	want := map[string]string{"podsecuritypolicy.policy.k8s.io/admit-policy": "unrestricted", "podsecuritypolicy.policy.k8s.io/validate-policy": "unrestricted"}
	events := auditEvents(t, p.log)
	for key, value := range want {
		if got := events[len(events)-1].Annotations[key]; got != value {
			t.Errorf("%s is %q in the audit log", key, got)
		}
	}
}

// updates changes what the restricted policy has made.
func (p policed) updates(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	pods := client.CoreV1().Pods("default")
	patch := func(text string, subresources ...string) (*corev1.Pod, error) {
		return pods.Patch(t.Context(), "plain", types.StrategicMergePatchType, []byte(text), metav1.PatchOptions{}, subresources...)
	}
	if _, err := patch(`{"metadata":{"labels":{"a":"b"}}}`); err != nil {
		t.Error(err)
	}
	got, err := patch(`{"spec":{"ephemeralContainers":[{"name":"debug","image":"i"}]}}`, "ephemeralcontainers")
	if err != nil || len(got.Spec.EphemeralContainers) != 1 || *got.Spec.EphemeralContainers[0].SecurityContext.RunAsUser != 1000 {
		t.Errorf("ephemeral container: %v, %v", got.Spec.EphemeralContainers, err)
	}
	_, err = patch(`{"spec":{"ephemeralContainers":[{"name":"root","image":"i","securityContext":{"runAsUser":0}}]}}`, "ephemeralcontainers")
	if want := `pods "plain" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.ephemeralContainers[0].securityContext.runAsUser: Invalid value: 0: must be in the ranges: [{1000 2000}]]`; text(err) != want {
		t.Errorf("ephemeral container of root: %v", err)
	}
}

// TestPodSecurityPoliciesStored has the kind as JSON beside another one of its group as
// protobuf, for clients that prefer protobuf as well.
func TestPodSecurityPoliciesStored(t *testing.T) {
	t.Parallel()
	p := newPoliced(t)
	p.add(t, restricted)
	config := rest.CopyConfig(p.Config())
	config.ContentType = runtime.ContentTypeProtobuf
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "b"}, Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(1))}}
	if _, err := clientFor(t, config).PolicyV1().PodDisruptionBudgets("default").Create(t.Context(), budget, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	for key, want := range map[string]string{
		"podsecuritypolicy/restricted": `{"kind":"PodSecurityPolicy","apiVersion":"policy/v1beta1",`, "poddisruptionbudgets/default/b": "k8s\x00",
	} {
		got, err := p.Etcd().Get(t.Context(), "/registry/"+key)
		if err != nil || len(got.Kvs) != 1 || !strings.HasPrefix(string(got.Kvs[0].Value), want) {
			t.Errorf("%s: %v, %v", key, got, err)
		}
	}
	for accept, want := range map[string]string{
		"application/vnd.kubernetes.protobuf,application/json":                                                          `{"kind":"PodSecurityPolicyList"`,
		"application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io, application/json;as=Table;v=v1;g=meta.k8s.io": `{"kind":"Table"`,
	} {
		got := do(t, request{path: pspPath, header: map[string]string{"Accept": accept}, config: p.Config()})
		if got.header.Get("Content-Type") != "application/json" || !strings.HasPrefix(string(got.body), want) {
			t.Errorf("%s: %d %s %.60s", accept, got.code, got.header, got.body)
		}
	}
	for path, want := range map[string]string{"/apis/policy/v1": runtime.ContentTypeProtobuf, "/apis/policy/v1/poddisruptionbudgets": runtime.ContentTypeProtobuf} {
		got := do(t, request{path: path, header: map[string]string{"Accept": "application/vnd.kubernetes.protobuf,application/json"}, config: p.Config()})
		if got.header.Get("Content-Type") != want {
			t.Errorf("%s: %s", path, got.header)
		}
	}
	document := do(t, request{path: "/openapi/v3/apis/policy/v1beta1", config: p.Config()}).object(t)
	schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
	for _, name := range []string{"io.k8s.api.policy.v1beta1.PodSecurityPolicySpec", "io.k8s.api.core.v1.SELinuxOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"} {
		if schemas[name] == nil {
			t.Errorf("there is no schema %s", name)
		}
	}
}

// TestPodSecurityPoliciesOff has no trace of the kind where nobody asked for it.
func TestPodSecurityPoliciesOff(t *testing.T) {
	t.Parallel()
	if got := do(t, request{path: pspPath}); got.code != http.StatusNotFound {
		t.Errorf("%d %s", got.code, got.body)
	}
	groups, err := coreClient(t).Discovery().ServerGroups()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == "policy" })
	if versions := groups.Groups[i].Versions; len(versions) != 1 || versions[0].Version != "v1" {
		t.Errorf("versions %v", versions)
	}
	if got := do(t, request{path: "/openapi/v2"}); strings.Contains(string(got.body), "PodSecurityPolicy") {
		t.Error("the OpenAPI document has the kind")
	}
}
