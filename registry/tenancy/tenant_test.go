// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config() // which would write to the objects of the test
	t.Run("v1", func(t *testing.T) { tenantsV1(t, config) })
	t.Run("v1alpha1", func(t *testing.T) { tenantsV1alpha1(t, config) })
}

func tenantsV1(t *testing.T, config *rest.Config) {
	kindtest.Run(t, kindtest.Suite{
		Config:   config,
		Resource: schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1", Resource: "tenants"},
		Versions: []string{"v1alpha1"},
		Valid: `
apiVersion: tenancy.stoa.dev/v1
kind: Tenant
spec:
  displayName: Team A
  owners:
  - {kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}
  - {kind: ServiceAccount, namespace: default, name: robot}
  namespaces: {limit: 3, labels: {team: a}}
  quota: {hard: {requests.cpu: "4", pods: "10"}}
  namespaceDefaults:
    networkIsolation: Tenant
    roleBindings:
    - name: view
      roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
  placement: {nodeSelector: {pool: a}}
`,
		Update:     `spec: {displayName: Team B, suspended: true}`,
		Status:     `status: {phase: Suspended, namespaces: {count: 1, names: [one]}, observedGeneration: 1}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name:   "a name with dots",
			Patch:  `metadata: {name: a.b}`,
			Errors: []string{`metadata.name: Invalid value: "a.b": must not contain dots`},
		}, {
			Name: "owners that are nobody",
			Patch: `
spec:
  owners:
  - {kind: User}
  - {kind: Robot, name: x}
  - {kind: ServiceAccount, name: robot}
  - {kind: User, name: x, apiGroup: example.com}
  - {kind: Group, name: x, apiGroup: rbac.authorization.k8s.io, namespace: z}
`,
			Errors: []string{
				`spec.owners[0].name: Required value`,
				`spec.owners[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"`,
				`spec.owners[2].namespace: Required value`,
				`spec.owners[3].apiGroup: Unsupported value: "example.com": supported values: "rbac.authorization.k8s.io"`,
				`spec.owners[4].namespace: Forbidden: may only be set for a ServiceAccount`,
			},
		}, {
			Name:     "limits below zero",
			OnUpdate: true,
			Patch:    `spec: {namespaces: {limit: -1}, quota: {hard: {pods: "-1"}}}`,
			Errors: []string{
				`spec.namespaces.limit: Invalid value: -1: must be greater than or equal to 0`,
				`spec.quota.hard[pods]: Invalid value: "-1": must be greater than or equal to 0`,
			},
		}, {
			Name:  "labels of the server",
			Patch: `spec: {namespaces: {labels: {tenancy.stoa.dev/x: z, kubernetes.io/metadata.name: z}, annotations: {sub.tenancy.stoa.dev/x: z}}}`,
			Errors: []string{
				`spec.namespaces.labels[tenancy.stoa.dev/x]: Forbidden: is set by the server`,
				`spec.namespaces.labels[kubernetes.io/metadata.name]: Forbidden: is set by the server`,
				`spec.namespaces.annotations[sub.tenancy.stoa.dev/x]: Forbidden: is set by the server`,
			},
		}, {
			Name:   "an unknown isolation",
			Patch:  `spec: {namespaceDefaults: {networkIsolation: Full}}`,
			Errors: []string{`spec.namespaceDefaults.networkIsolation: Unsupported value: "Full": supported values: "None", "Tenant"`},
		}, {
			Name:   "a role binding without a role",
			Patch:  `spec: {namespaceDefaults: {roleBindings: [{name: x, roleRef: {kind: ClusterRole, name: ""}}]}}`,
			Errors: []string{`spec.namespaceDefaults.roleBindings[0].roleRef.name: Required value`},
		}, {
			Name:   "a toleration of everything without saying so",
			Patch:  `spec: {placement: {tolerations: [{effect: NoSchedule}]}}`,
			Errors: []string{`spec.placement.tolerations[0].operator: Invalid value: "": operator must be Exists when ` + "`key`" + ` is empty, which means "match all values and all keys"`},
		}, {
			Name:   "the annotation of conversion",
			Patch:  `metadata: {annotations: {tenancy.stoa.dev/v1-fields: "{}"}}`,
			Errors: []string{`metadata.annotations[tenancy.stoa.dev/v1-fields]: Invalid value: "{}": is reserved: in v1alpha1 it must hold what the server wrote there, in other versions it must not be set`},
		}},
		Columns:      []string{"Name", "Phase", "Namespaces", "Age", "Display Name", "Owners", "Quota"},
		Selectors:    map[string]bool{"spec.suspended=false": true, "spec.suspended=true": false, "status.phase=Active": true, "status.phase!=Active": false},
		ShortNames:   []string{"tn"},
		KeepsDeleted: true, // until the controller has looked at its namespaces
		Name:         func(name string) string { return name + "-v1" },
	})
}

func tenantsV1alpha1(t *testing.T, config *rest.Config) {
	kindtest.Run(t, kindtest.Suite{
		Config:   config,
		Resource: schema.GroupVersionResource{Group: "tenancy.stoa.dev", Version: "v1alpha1", Resource: "tenants"},
		Versions: []string{"v1"},
		Valid: `
apiVersion: tenancy.stoa.dev/v1alpha1
kind: Tenant
spec:
  owners: [user:alice, serviceaccount:default:robot]
  maxNamespaces: 3
  quota: {requests.cpu: "4"}
`,
		Update:     `spec: {owners: [group:dev], networkIsolation: Tenant}`,
		Status:     `status: {phase: Suspended, namespaceCount: 1, namespaces: [one], observedGeneration: 1}`,
		Generation: true,
		Invalid: []kindtest.Invalid{{
			Name:   "an owner that is nobody",
			Patch:  `spec: {owners: [user:alice, alice]}`,
			Errors: []string{`spec.owners[1]: Invalid value: "alice": must be "user:<name>", "group:<name>" or "serviceaccount:<namespace>:<name>"`},
		}, {
			Name:   "a service account with a bad name",
			Patch:  `spec: {owners: ["serviceaccount:default:No"]}`,
			Errors: []string{`spec.owners[0]: Invalid value: "No": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		}, {
			Name:   "a limit below zero",
			Patch:  `spec: {maxNamespaces: -1}`,
			Errors: []string{`spec.maxNamespaces: Invalid value: -1: must be greater than or equal to 0`},
		}, {
			Name:     "a quota below zero",
			OnUpdate: true,
			Patch:    `spec: {quota: {pods: "-1"}}`,
			Errors:   []string{`spec.quota[pods]: Invalid value: "-1": must be greater than or equal to 0`},
		}, {
			Name:   "an unknown isolation",
			Patch:  `spec: {networkIsolation: Full}`,
			Errors: []string{`spec.networkIsolation: Unsupported value: "Full": supported values: "None", "Tenant"`},
		}},
		Columns:      []string{"Name", "Phase", "Namespaces", "Age", "Display Name", "Owners", "Quota"},
		Selectors:    map[string]bool{"spec.suspended=false": true, "status.phase=Active": true},
		ShortNames:   []string{"tn"},
		KeepsDeleted: true, // until the controller has looked at its namespaces
		Name:         func(name string) string { return name + "-v1alpha1" },
	})
}

// TestTenantVersions writes through one version and reads through the other.
func TestTenantVersions(t *testing.T) {
	t.Parallel()
	client := versioned.NewForConfigOrDie(stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config())
	limit := int32(2)
	v1, err := client.TenancyV1().Tenants().Create(t.Context(), &tenancyv1.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: "both"},
		Spec: tenancyv1.TenantSpec{
			DisplayName: "Both",
			Owners:      []rbacv1.Subject{{Kind: "User", Name: "a:b"}, {Kind: "ServiceAccount", Namespace: "ns", Name: "sa"}},
			Namespaces:  tenancyv1.TenantNamespaces{Limit: &limit, Labels: map[string]string{"only": "v1"}},
			Placement:   tenancyv1.Placement{NodeSelector: map[string]string{"pool": "x"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := v1.Spec.Owners[0].APIGroup; got != "rbac.authorization.k8s.io" {
		t.Errorf("default of owners[0].apiGroup is %q", got)
	}
	if got := v1.Spec.NamespaceDefaults.NetworkIsolation; got != "None" {
		t.Errorf("default of networkIsolation is %q", got)
	}
	if got := v1.Status.Phase; got != "Active" {
		t.Errorf("default of phase is %q", got)
	}
	alpha, err := client.TenancyV1alpha1().Tenants().Get(t.Context(), "both", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := tenancyv1alpha1.TenantSpec{
		DisplayName: "Both", Owners: []string{"user:a:b", "serviceaccount:ns:sa"}, MaxNamespaces: &limit, NetworkIsolation: "None",
	}
	if diff := cmp.Diff(want, alpha.Spec); diff != "" {
		t.Errorf("spec in v1alpha1 (-want +got):\n%s", diff)
	}
	alpha.Spec.DisplayName = "Changed"
	alpha, err = client.TenancyV1alpha1().Tenants().Update(t.Context(), alpha, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if alpha.Generation != 2 {
		t.Errorf("generation is %d, want 2", alpha.Generation)
	}
	again, err := client.TenancyV1().Tenants().Get(t.Context(), "both", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	v1.Spec.DisplayName = "Changed"
	if diff := cmp.Diff(v1.Spec, again.Spec); diff != "" {
		t.Errorf("an update in v1alpha1 lost (-want +got):\n%s", diff)
	}
	if len(again.Annotations) > 0 {
		t.Errorf("v1 shows annotations of conversion: %v", again.Annotations)
	}
}

// TestTenantWarnings counts each warning once, and not again for what was there.
func TestTenantWarnings(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config() // which would write to the objects of the test
	warnings := &recorder{}
	config.WarningHandlerWithContext = warnings
	tenants := versioned.NewForConfigOrDie(config).TenancyV1().Tenants()
	_, err := tenants.Create(t.Context(), &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "empty"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, patch string
		want        []string
	}{
		{name: "create", want: []string{"spec.owners: the tenant has no owners, only administrators can use it"}},
		{name: "label", patch: `{"metadata":{"labels":{"a":"b"}}}`},
		{
			name: "owners twice", patch: `{"spec":{"owners":[{"kind":"User","name":"a"},{"kind":"User","name":"a"}]}}`,
			want: []string{"spec.owners[1]: the same owner as spec.owners[0]"},
		},
		{
			name: "more for one than for all", patch: `{"spec":{"quota":{"hard":{"pods":"1"}},"namespaceDefaults":{"quota":{"hard":{"pods":"2"}}}}}`,
			want: []string{"spec.namespaceDefaults.quota.hard[pods]: 2 is more than the tenant has in all, 1"},
		},
	} {
		if step.patch != "" {
			if _, err := tenants.Patch(t.Context(), "empty", types.MergePatchType, []byte(step.patch), metav1.PatchOptions{}); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		if diff := cmp.Diff(step.want, warnings.take()); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestLostFields warns of an edit through v1alpha1 that takes away what only v1 has.
func TestLostFields(t *testing.T) {
	t.Parallel()
	config := stoatest.Start(t, stoatest.WithFlags("--controllers=-*")).Config() // which would write to the objects of the test
	warnings := &recorder{}
	config.WarningHandlerWithContext = warnings
	client := versioned.NewForConfigOrDie(config)
	_, err := client.TenancyV1().Tenants().Create(t.Context(), &tenancyv1.Tenant{
		ObjectMeta: metav1.ObjectMeta{Name: "placed"},
		Spec: tenancyv1.TenantSpec{
			Owners:     []rbacv1.Subject{{Kind: "User", Name: "a"}},
			Namespaces: tenancyv1.TenantNamespaces{Labels: map[string]string{"a": "b"}},
			Placement:  tenancyv1.Placement{NodeSelector: map[string]string{"pool": "a"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		patch string
		want  []string
	}{
		{patch: `{"spec":{"maxNamespaces":3}}`},
		{patch: `{"metadata":{"annotations":null}}`, want: []string{
			"metadata.annotations[tenancy.stoa.dev/v1-fields]: was removed, and with it spec.namespaces.labels, spec.placement of v1"}},
	} {
		if _, err := client.TenancyV1alpha1().Tenants().Patch(t.Context(), "placed", types.MergePatchType, []byte(step.patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		// A library does not know its release, and warns of the end of v1alpha1 already.
		got := slices.DeleteFunc(warnings.take(), func(w string) bool { return strings.Contains(w, "is deprecated in") })
		if diff := cmp.Diff(step.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", step.patch, diff)
		}
	}
}

// recorder remembers the warnings of answers.
type recorder struct {
	mu   sync.Mutex
	seen []string
}

func (r *recorder) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, text)
}

// take returns what came since it was called last.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.seen = nil }()
	return slices.Clone(r.seen)
}
