// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
)

// Every path in an error is a field that the user can find in the version they
// wrote, or in the JSON of the annotation that carries the rest.
func TestErrorPathsExistInEveryVersion(t *testing.T) {
	t.Parallel()
	var tenant, grant field.ErrorList
	for _, tc := range invalidTenants() {
		obj := validTenant()
		tc.change(obj)
		tenant = append(tenant, ValidateTenant(obj)...)
	}
	for _, tc := range invalidTenantStatus() {
		obj, old := validTenant(), validTenant()
		old.Status.ObservedGeneration = 2
		tc.change(obj)
		tenant = append(tenant, ValidateTenantStatusUpdate(obj, old)...)
	}
	for _, tc := range invalidGrants() {
		obj := validGrant()
		tc.change(obj)
		grant = append(grant, ValidateGrant(obj)...)
	}
	for _, tc := range invalidGrantStatus() {
		obj := activeGrant()
		tc.change(obj)
		grant = append(grant, ValidateGrantStatusUpdate(obj, activeGrant())...)
	}

	for _, e := range tenant {
		checkPath(t, reflect.TypeFor[tenancyv1.Tenant](), e.Field)
		checkPath(t, reflect.TypeFor[tenancyv1alpha1.Tenant](), translate(tenancyv1alpha1.TenantFieldPaths(), e.Field))
	}
	for _, e := range grant {
		checkPath(t, reflect.TypeFor[tenancyv1.Grant](), e.Field)
		checkPath(t, reflect.TypeFor[tenancyv1alpha1.Grant](), translate(tenancyv1alpha1.GrantFieldPaths(), e.Field))
	}
}

func TestFieldPaths(t *testing.T) {
	t.Parallel()
	for hub, want := range map[string]string{
		"spec.owners[3].name":                              "spec.owners[3]",
		"spec.owners[3]":                                   "spec.owners[3]",
		"spec.owners":                                      "spec.owners",
		"spec.quota.hard[pods]":                            "spec.quota[pods]",
		"spec.namespaces.limit":                            "spec.maxNamespaces",
		"spec.namespaces.labels[a]":                        "metadata.annotations[tenancy.stoa.dev/v1-fields].spec.namespaces.labels[a]",
		"spec.namespaceDefaults.networkIsolation":          "spec.networkIsolation",
		"spec.namespaceDefaults.roleBindings[0].name":      "metadata.annotations[tenancy.stoa.dev/v1-fields].spec.namespaceDefaults.roleBindings[0].name",
		"spec.placement.tolerations[0].key":                "metadata.annotations[tenancy.stoa.dev/v1-fields].spec.placement.tolerations[0].key",
		"status.namespaces.names[1]":                       "status.namespaces[1]",
		"metadata.annotations[tenancy.stoa.dev/v1-fields]": "metadata.annotations[tenancy.stoa.dev/v1-fields]",
	} {
		if got := translate(tenancyv1alpha1.TenantFieldPaths(), hub); got != want {
			t.Errorf("%s is translated to %s, want %s", hub, got, want)
		}
	}
}

// translate does what the registry does with the table.
func translate(paths []tenancyv1alpha1.FieldPath, path string) string {
	for _, rule := range paths {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(rule.Hub), `\[\*\]`, `(\[[^]]*\])`)
		match := regexp.MustCompile("^" + pattern + `($|[.[].*)`).FindStringSubmatch(path)
		if match == nil {
			continue
		}
		out := rule.Versioned
		for _, key := range match[1 : len(match)-1] {
			out = strings.Replace(out, "[*]", key, 1)
		}
		return out + match[len(match)-1]
	}
	return path
}

var step = regexp.MustCompile(`^(?:\.?([A-Za-z0-9]+)|\[([^]]*)\])`)

// checkPath follows a path through the JSON names of a type.
func checkPath(t *testing.T, typ reflect.Type, path string) {
	t.Helper()
	root, rest := typ, path
	for rest != "" {
		match := step.FindStringSubmatch(rest)
		if match == nil {
			t.Errorf("%s: %s is no path", root, path)
			return
		}
		rest = rest[len(match[0]):]
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		switch {
		case match[2] == tenancyv1alpha1.RestAnnotation && rest != "":
			typ = reflect.TypeFor[struct {
				Spec tenancyv1.TenantSpec `json:"spec"`
			}]()
		case match[1] == "":
			typ = typ.Elem()
		default:
			next, ok := jsonField(typ, match[1])
			if !ok {
				t.Errorf("%s: %s: there is no %s", root, path, match[1])
				return
			}
			typ = next
		}
	}
}

func jsonField(typ reflect.Type, name string) (reflect.Type, bool) {
	if typ.Kind() != reflect.Struct {
		return nil, false
	}
	for field := range typ.Fields() {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == name {
			return field.Type, true
		}
	}
	return nil, false
}
