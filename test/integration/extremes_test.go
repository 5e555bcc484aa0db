// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestExtremes refuses quantities that a server would work on for hours, and times that it could not read again, however
// they come.
func TestExtremes(t *testing.T) {
	t.Parallel()
	const far = "1e-999999999"
	quota := func(name, annotation, cpu string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":%q,"annotations":{"commit":%q}},"spec":{"hard":{"requests.cpu":%q}}}`, name, annotation, cpu)
	}
	name := unique(t)
	if got := do(t, request{method: http.MethodPost, path: "/api/v1/namespaces", body: []byte(`{"metadata":{"name":"` + name + `"}}`)}); got.code != http.StatusCreated {
		t.Fatalf("answer %d: %s", got.code, got.body)
	}
	quotas := "/api/v1/namespaces/" + name + "/resourcequotas"
	tenancy := "/apis/tenancy.stoa.dev/v1/namespaces/" + name + "/grants"
	if got := do(t, request{method: http.MethodPost, path: quotas, body: []byte(quota(name, far, "1e999"))}); got.code != http.StatusCreated {
		t.Fatalf("answer %d: %s", got.code, got.body)
	}
	grant := func(expires, written string) string {
		return fmt.Sprintf(`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Grant","metadata":{"name":"extreme","managedFields":[{"manager":"x","operation":"Update","apiVersion":"v1","time":%q}]},
			"spec":{"subject":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve"},"roleRef":{"kind":"ClusterRole","apiGroup":"rbac.authorization.k8s.io","name":"view"},"expiresAt":%q}}`, written, expires)
	}
	for what, r := range map[string]request{
		"create": {method: http.MethodPost, path: quotas, body: []byte(quota("x", "", far))},
		"update": {method: http.MethodPut, path: quotas + "/" + name, body: []byte(quota(name, "", far))},
		"merge":  {method: http.MethodPatch, path: quotas + "/" + name, body: []byte(`{"spec":{"hard":{"requests.cpu":"` + far + `"}}}`), header: map[string]string{"Content-Type": "application/merge-patch+json"}},
		"strategic": {
			method: http.MethodPatch, path: quotas + "/" + name + "/status", body: []byte(`{"status":{"used":{"requests.cpu":"` + far + `"}}}`),
			header: map[string]string{"Content-Type": "application/strategic-merge-patch+json"},
		},
		"apply": {
			method: http.MethodPatch, path: quotas + "/" + name + "?fieldManager=x", body: []byte(quota(name, "", far)),
			header: map[string]string{"Content-Type": "application/apply-patch+yaml"},
		},
		"copy of a text": {
			method: http.MethodPatch, path: quotas + "/" + name, body: []byte(`[{"op":"copy","from":"/metadata/annotations/commit","path":"/spec/hard/requests.cpu"}]`),
			header: map[string]string{"Content-Type": "application/json-patch+json"},
		},
		"time of a field":   {method: http.MethodPost, path: tenancy, body: []byte(grant("9999-12-31T23:59:59-23:00", "2026-01-01T00:00:00Z"))},
		"time of a manager": {method: http.MethodPost, path: tenancy, body: []byte(grant("2026-01-01T00:00:00Z", "0000-01-01T00:00:00+23:00"))},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got := do(t, r)
			message := got.status(t).Message
			if got.code != http.StatusBadRequest && got.code != http.StatusUnprocessableEntity ||
				!strings.Contains(message, "the exponent of a quantity must not have more than 3 digits") && !strings.Contains(message, "must be in the years 0 to 9999, in UTC") {
				t.Errorf("answer %d: %s", got.code, got.body)
			}
		})
	}
}
