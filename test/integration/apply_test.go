// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

// applyTenant applies a tenant in one version and returns it in v1.
func applyTenant(t testing.TB, version, name, manager, spec string, force bool) (*tenancyv1.Tenant, error) {
	t.Helper()
	client := tenancyClient(t)
	body := fmt.Appendf(nil, `{"apiVersion":"tenancy.stoa.dev/%s","kind":"Tenant","metadata":{"name":%q},"spec":%s}`, version, name, spec)
	options := metav1.PatchOptions{FieldManager: manager, Force: &force}
	var err error
	if version == "v1" {
		_, err = client.TenancyV1().Tenants().Patch(t.Context(), name, types.ApplyPatchType, body, options)
	} else {
		_, err = client.TenancyV1alpha1().Tenants().Patch(t.Context(), name, types.ApplyPatchType, body, options)
	}
	if err != nil {
		return nil, err
	}
	var tenant *tenancyv1.Tenant
	eventually(t, func() string { // the controller writes to it as well
		if tenant, err = client.TenancyV1().Tenants().Get(t.Context(), name, metav1.GetOptions{}); err == nil && (len(tenant.Finalizers) == 0 || tenant.Status.ObservedGeneration != tenant.Generation) {
			return "the controller has not seen the tenant"
		}
		return ""
	})
	return tenant, err
}

// managers returns who owns fields, as "manager operation version".
func managers(obj metav1.Object) []string {
	var out []string
	for _, m := range obj.GetManagedFields() {
		if m.Manager == "stoa-tenants" { // the controller, which may not have come yet
			continue
		}
		out = append(out, strings.Trim(fmt.Sprintf("%s %s %s %s", m.Manager, m.Operation, m.APIVersion, m.Subresource), " "))
	}
	slices.Sort(out)
	return out
}

func TestApply(t *testing.T) {
	t.Parallel()
	client := coreClient(t).CoreV1().ConfigMaps(newNamespace(t))
	apply := func(manager string, force bool, data map[string]string) (map[string]string, error) {
		out, err := client.Apply(t.Context(), corev1ac.ConfigMap("a", "").WithData(data), metav1.ApplyOptions{FieldManager: manager, Force: force})
		if err != nil {
			return nil, err
		}
		return out.Data, nil
	}
	for _, step := range []struct {
		manager   string
		force     bool
		data      map[string]string
		want      map[string]string
		wantError string
	}{
		{manager: "one", data: map[string]string{"a": "1", "b": "1"}, want: map[string]string{"a": "1", "b": "1"}},
		{manager: "two", data: map[string]string{"c": "2"}, want: map[string]string{"a": "1", "b": "1", "c": "2"}},
		{manager: "two", data: map[string]string{"a": "2"}, wantError: `Apply failed with 1 conflict: conflict with "one": .data.a`},
		{manager: "two", data: map[string]string{"a": "2", "b": "2"}, wantError: "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.a\n- .data.b"},
		{manager: "two", data: map[string]string{"a": "1"}, want: map[string]string{"a": "1", "b": "1"}},
		{manager: "two", force: true, data: map[string]string{"a": "2"}, want: map[string]string{"a": "2", "b": "1"}},
		{manager: "one", data: map[string]string{"b": "1"}, want: map[string]string{"a": "2", "b": "1"}},
		{manager: "two", data: nil, want: map[string]string{"b": "1"}},
	} {
		got, err := apply(step.manager, step.force, step.data)
		if diff := cmp.Diff(step.wantError, text(err)); diff != "" {
			t.Errorf("apply of %v by %s: error (-want +got):\n%s", step.data, step.manager, diff)
		}
		if step.wantError != "" && !apierrors.IsConflict(err) {
			t.Errorf("%v is no conflict", err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("apply of %v by %s: data (-want +got):\n%s", step.data, step.manager, diff)
		}
	}
}

// TestApplyWithoutChange makes no new resourceVersion, whatever form values have.
func TestApplyWithoutChange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, version, spec, again string }{
		{name: "same", version: "v1", spec: `{"displayName":"a"}`},
		{name: "quantities", version: "v1", spec: `{"quota":{"hard":{"requests.cpu":"1000m","limits.memory":"1024Mi","pods":5}}}`},
		{name: "quantities-other-form", version: "v1", spec: `{"quota":{"hard":{"requests.cpu":"1000m"}}}`, again: `{"quota":{"hard":{"requests.cpu":"1"}}}`},
		{name: "quantities-alpha", version: "v1alpha1", spec: `{"quota":{"requests.cpu":"1000m"}}`},
		{name: "owners", version: "v1", spec: `{"owners":[{"kind":"User","name":"a"}]}`},
		{name: "owners-alpha", version: "v1alpha1", spec: `{"owners":["user:a"]}`},
		{name: "empty", version: "v1", spec: `{}`},
		{name: "zero", version: "v1", spec: `{"suspended":false,"displayName":"","namespaces":{"limit":0}}`},
		{name: "defaults", version: "v1", spec: `{"namespaceDefaults":{"networkIsolation":"None"}}`},
		{name: "list-map", version: "v1", spec: `{"namespaceDefaults":{"roleBindings":[{"name":"b","roleRef":{"kind":"Role","name":"x"}},{"name":"a","roleRef":{"kind":"Role","name":"x"}}]}}`},
		{name: "tolerations", version: "v1", spec: `{"placement":{"tolerations":[{"operator":"Exists"}]}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			name := unique(t)
			first, err := applyTenant(t, tc.version, name, "me", tc.spec, false)
			if err != nil {
				t.Fatal(err)
			}
			specs := []string{tc.spec, tc.spec}
			if tc.again != "" {
				specs = append(specs, tc.again)
			}
			for _, spec := range specs {
				again, err := applyTenant(t, tc.version, name, "me", spec, false)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(first, again); diff != "" {
					t.Fatalf("apply of %s again changed the object (-want +got):\n%s", spec, diff)
				}
			}
			got, err := tenancyClient(t).TenancyV1().Tenants().Update(t.Context(), first.DeepCopy(), metav1.UpdateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got.ResourceVersion != first.ResourceVersion {
				t.Errorf("an update without a change made a new resourceVersion: %s", cmp.Diff(first, got))
			}
		})
	}
}

// TestApplyInBothVersions keeps owners of fields apart by version.
func TestApplyInBothVersions(t *testing.T) {
	t.Parallel()
	name := unique(t)
	if _, err := applyTenant(t, "v1", name, "new", `{"displayName":"a","namespaces":{"limit":3,"labels":{"x":"y"}}}`, false); err != nil {
		t.Fatal(err)
	}
	got, err := applyTenant(t, "v1alpha1", name, "old", `{"networkIsolation":"None","owners":["user:a"]}`, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"new Apply tenancy.stoa.dev/v1", "old Apply tenancy.stoa.dev/v1alpha1"}
	if diff := cmp.Diff(want, managers(got)); diff != "" {
		t.Errorf("managers (-want +got):\n%s", diff)
	}
	if *got.Spec.Namespaces.Limit != 3 || got.Spec.Namespaces.Labels["x"] != "y" || got.Spec.Owners[0].Name != "a" {
		t.Errorf("spec is %+v", got.Spec)
	}
	_, err = applyTenant(t, "v1alpha1", name, "old", `{"displayName":"b"}`, false)
	if diff := cmp.Diff(`Apply failed with 1 conflict: conflict with "new": .spec.displayName`, text(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	// The path is the owner's.
	_, err = applyTenant(t, "v1alpha1", name, "old", `{"maxNamespaces":4}`, false)
	if diff := cmp.Diff(`Apply failed with 1 conflict: conflict with "new": .spec.namespaces.limit`, text(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if got, err = applyTenant(t, "v1alpha1", name, "old", `{"maxNamespaces":4}`, true); err != nil {
		t.Fatal(err)
	}
	if *got.Spec.Namespaces.Limit != 4 || len(got.Spec.Owners) != 0 || got.Spec.Namespaces.Labels["x"] != "y" || got.Spec.DisplayName != "a" {
		t.Errorf("spec is %+v", got.Spec)
	}
}

// TestManagedFields names the managers of every way to write.
func TestManagedFields(t *testing.T) {
	t.Parallel()
	all := tenancyClient(t).TenancyV1().Tenants()
	name := unique(t)
	obj, err := all.Create(t.Context(), &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.TenantSpec{DisplayName: "a"}}, metav1.CreateOptions{FieldManager: "creator"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { // the controller writes to it as well
		if obj, err = all.Get(t.Context(), name, metav1.GetOptions{}); err != nil {
			return text(err)
		}
		obj.Spec.Suspended = true
		_, err := all.Update(t.Context(), obj, metav1.UpdateOptions{FieldManager: "updater"})
		return text(err)
	})
	if _, err := all.Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{FieldManager: "patcher"}); err != nil {
		t.Fatal(err)
	}
	if _, err := all.Patch(t.Context(), name, types.MergePatchType, []byte(`{"status":{"conditions":[{"type":"Tested","status":"True","reason":"Test","message":"","lastTransitionTime":"2030-01-01T00:00:00Z"}]}}`), metav1.PatchOptions{FieldManager: "controller"}, "status"); err != nil {
		t.Fatal(err)
	}
	got, err := applyTenant(t, "v1", name, "applier", `{"displayName":"a"}`, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"applier Apply tenancy.stoa.dev/v1",
		"controller Update tenancy.stoa.dev/v1 status",
		"creator Update tenancy.stoa.dev/v1",
		"patcher Update tenancy.stoa.dev/v1",
		"updater Update tenancy.stoa.dev/v1",
	}
	if diff := cmp.Diff(want, managers(got)); diff != "" {
		t.Errorf("managers (-want +got):\n%s", diff)
	}
}
