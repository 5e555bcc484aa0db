// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	configMaps = "/api/v1/namespaces/default/configmaps"
	tenants    = "/apis/tenancy.stoa.dev/v1/tenants"
)

func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":` + strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) + `}`
	}
	for _, tc := range []struct {
		name    string
		method  string // POST
		path    string // configMaps
		body    string
		header  map[string]string
		code    int
		reason  metav1.StatusReason
		message string // a part, if it ends in "..."
	}{
		{
			name: "empty", body: "", code: 400, reason: "BadRequest",
			message: "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
		},
		{
			name: "truncated", body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":`, code: 400, reason: "BadRequest",
			message: "...",
		},
		{
			name: "no JSON", body: `hello`, code: 400, reason: "BadRequest",
			message: "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value (68656c6c6f)",
		},
		{
			name: "null", body: `null`, code: 422, reason: "Invalid",
			message: `ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required`,
		},
		{
			name: "a list", body: `[]`, code: 400, reason: "BadRequest",
			message: "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" } (5b5d)",
		},
		{
			name: "another kind", body: `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}`, code: 400, reason: "BadRequest",
			message: `Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap)...`,
		},
		{
			name: "another version", body: `{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"x"}}`, code: 400, reason: "BadRequest",
			message: `ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" in scheme...`,
		},
		{
			name: "another group", path: tenants, body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`, code: 400, reason: "BadRequest",
			message: `...`,
		},
		{
			name: "another version of ours", path: tenants, body: `{"apiVersion":"tenancy.stoa.dev/v1alpha1","kind":"Tenant","metadata":{"name":"x"}}`, code: 400, reason: "BadRequest",
			message: `the API version in the data (tenancy.stoa.dev/v1alpha1) does not match the expected API version (tenancy.stoa.dev/v1)`,
		},
		{
			name: "another namespace", body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"kube-system"}}`, code: 400, reason: "BadRequest",
			message: `the namespace of the provided object does not match the namespace sent on the request`,
		},
		{
			name: "no name", body: `{"apiVersion":"v1","kind":"ConfigMap"}`, code: 422, reason: "Invalid",
			message: `ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required`,
		},
		{
			name: "another name", method: "PUT", path: configMaps + "/kube-root", body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`, code: 400, reason: "BadRequest",
			message: `the name of the object (x) does not match the name on the URL (kube-root)`,
		},
		{
			name: "a wrong type", body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":1}}`, code: 400, reason: "BadRequest",
			message: `ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string`,
		},
		{
			name: "a quantity that is none", path: tenants, body: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"x"},"spec":{"quota":{"hard":{"pods":"many"}}}}`, code: 400, reason: "BadRequest",
			message: `Tenant in version "v1" cannot be handled as a Tenant: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
		},
		{
			name: "a number out of range", path: tenants, body: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"x"},"spec":{"namespaces":{"limit":4294967296}}}`, code: 400, reason: "BadRequest",
			message: `Tenant in version "v1" cannot be handled as a Tenant: json: cannot unmarshal number 4294967296 into Go struct field TenantNamespaces.spec.namespaces.limit of type int32`,
		},
		{
			name: "unknown fields", path: tenants + "?fieldValidation=Strict", body: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"x"},"spec":{"nope":1,"quota":{"soft":{}}}}`, code: 400, reason: "BadRequest",
			message: `Tenant in version "v1" cannot be handled as a Tenant: strict decoding error: unknown field "spec.nope", unknown field "spec.quota.soft"`,
		},
		{
			name: "one field twice", path: tenants + "?fieldValidation=Strict", body: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"x"},"spec":{"displayName":"a","displayName":"b"}}`, code: 400, reason: "BadRequest",
			message: `Tenant in version "v1" cannot be handled as a Tenant: strict decoding error: duplicate field "spec.displayName"`,
		},
		{
			name: "an unknown field validation", path: tenants + "?fieldValidation=Maybe", body: `{}`, code: 422, reason: "Invalid",
			message: `CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"`,
		},
		{
			name: "an unknown dry run", path: tenants + "?dryRun=Some", body: `{}`, code: 422, reason: "Invalid",
			message: `CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"`,
		},
		{
			name: "deep", body: deep(20_000), code: 400, reason: "BadRequest", message: "...",
		},
		{
			name: "4 MB", body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"` + strings.Repeat("x", 4<<20) + `"}}`, code: 413, reason: "RequestEntityTooLarge",
			message: `Request entity too large: limit is 3145728`,
		},
		{
			name: "2 MB", body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"` + strings.Repeat("x", 2<<20) + `"}}`, code: 422, reason: "Invalid",
			message: `ConfigMap "x" is invalid: []: Too long: may not be more than 1048576 bytes`,
		},
		{
			name: "invalid UTF-8 in a name", body: "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\xff\"}}", code: 422, reason: "Invalid", message: "...",
		},
		{
			name: "an unknown media type", body: `{}`, header: map[string]string{"Content-Type": "text/plain"}, code: 415, reason: "UnsupportedMediaType",
			message: "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
		},
		{
			name: "a broken media type", body: `{}`, header: map[string]string{"Content-Type": ";;"}, code: 415, reason: "UnsupportedMediaType", message: "...",
		},
		{
			name: "protobuf that is none", body: "k8s\x00garbage", header: map[string]string{"Content-Type": "application/vnd.kubernetes.protobuf"}, code: 400, reason: "BadRequest", message: "...",
		},
		{
			name: "YAML that is none", body: "a: b: c:\n\t-", header: map[string]string{"Content-Type": "application/yaml"}, code: 400, reason: "BadRequest", message: "...",
		},
		{
			name: "gzip", body: zipped(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`), header: map[string]string{"Content-Encoding": "gzip"}, code: 400, reason: "BadRequest", message: "...",
		},
		{
			name: "an unknown patch type", method: "PATCH", path: configMaps + "/x", body: `{}`, header: map[string]string{"Content-Type": "application/json"}, code: 415, reason: "UnsupportedMediaType",
			message: "415: Unsupported Media Type",
		},
		{
			name: "apply without a manager", method: "PATCH", path: configMaps + "/x", body: `{}`, header: map[string]string{"Content-Type": "application/apply-patch+yaml"}, code: 422, reason: "Invalid",
			message: `PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch`,
		},
		{
			name: "apply of no YAML", method: "PATCH", path: configMaps + "/x?fieldManager=me", body: "a: b: c", header: map[string]string{"Content-Type": "application/apply-patch+yaml"}, code: 400, reason: "BadRequest",
			message: "...",
		},
		{
			name: "apply of an unknown field", method: "PATCH", path: tenants + "/x?fieldManager=me", body: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","spec":{"nope":1}}`, header: map[string]string{"Content-Type": "application/apply-patch+yaml"}, code: 500,
			message: "failed to create typed patch object (/; tenancy.stoa.dev/v1, Kind=Tenant): .spec.nope: field not declared in schema",
		},
		{
			name: "an unknown limit", method: "GET", path: configMaps + "?limit=many", code: 400, reason: "BadRequest", message: "...",
		},
		{
			name: "a bad delete option", method: "DELETE", path: configMaps + "/x", body: `{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Sometimes"}`, code: 422, reason: "Invalid",
			message: `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sometimes": supported values: "Foreground", "Background", "Orphan", "nil"`,
		},
		{
			name: "another resource", method: "GET", path: "/api/v1/namespaces/default/gadgets", code: 404, reason: "NotFound",
			message: "the server could not find the requested resource",
		},
		{
			name: "a method that is not there", method: "POST", path: configMaps + "/x", body: `{}`, code: 405, reason: "MethodNotAllowed",
			message: "the server does not allow this method on the requested resource",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := request{method: tc.method, path: tc.path, body: []byte(tc.body), header: tc.header}
			if r.method == "" {
				r.method = http.MethodPost
			}
			if r.path == "" {
				r.path = configMaps
			}
			got := do(t, r)
			status := got.status(t)
			if got.code != tc.code || status.Code != int32(tc.code) || status.Status != "Failure" {
				t.Errorf("answer %d with status %d %s, want %d", got.code, status.Code, status.Status, tc.code)
			}
			if status.Reason != tc.reason {
				t.Errorf("reason is %q, want %q", status.Reason, tc.reason)
			}
			if prefix, part := strings.CutSuffix(tc.message, "..."); part && strings.HasPrefix(status.Message, prefix) && status.Message != "" {
				return
			}
			if diff := cmp.Diff(tc.message, status.Message); diff != "" {
				t.Errorf("message (-want +got):\n%.1500s", diff)
			}
		})
	}
}

// TestFieldValidation warns of unknown fields unless it is told otherwise.
func TestFieldValidation(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ mode, want string }{
		{mode: "", want: `299 - "unknown field \"spec.nope\""`},
		{mode: "Warn", want: `299 - "unknown field \"spec.nope\""`},
		{mode: "Ignore", want: ""},
	} {
		body := fmt.Sprintf(`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":%q},"spec":{"nope":1,"owners":[{"kind":"User","name":"a"}]}}`, unique(t))
		got := do(t, request{method: "POST", path: tenants + "?dryRun=All&fieldValidation=" + tc.mode, body: []byte(body)})
		if got.code != 201 {
			t.Errorf("mode %q: answer %d: %s", tc.mode, got.code, got.body)
		}
		if diff := cmp.Diff(tc.want, got.header.Get("Warning")); diff != "" {
			t.Errorf("mode %q: warning (-want +got):\n%s", tc.mode, diff)
		}
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// FuzzCreateBody sends bodies of all kinds. Whatever they are, the answer is an
// object or a Status that blames the client, and the server lives on.
func FuzzCreateBody(f *testing.F) {
	for _, seed := range []string{
		``, `{`, `null`, `[]`, `"x"`, `0`, "\x00", "\xff\xfe", `{"kind":null}`, `{"kind":"Tenant"}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant"}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz"}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz"},"spec":null}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz"},"spec":{"owners":[null,{}]}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz"},"spec":{"quota":{"hard":{"cpu":"1e999999999"}}}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz"},"spec":{"quota":{"hard":{"cpu":-0.0000000000000000001}}}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz","managedFields":[{"fieldsV1":{"f:x":1}}]}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz","creationTimestamp":"never"}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"fuzz","ownerReferences":[{}]}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"generateName":"` + strings.Repeat("x", 300) + `"}}`,
		`{"apiVersion":"tenancy.stoa.dev/v1","kind":"TenantList","items":[]}`,
		"apiVersion: tenancy.stoa.dev/v1\nkind: Tenant\nmetadata: {name: fuzz}\n",
		"a: &a [*a]", "%YAML 9.9\n---\n", "k8s\x00\x0a\x00",
	} {
		for mediaType := range uint8(3) {
			f.Add([]byte(seed), mediaType)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, mediaType uint8) {
		if len(body) == 0 {
			body = []byte{}
		}
		got := do(t, request{
			method: "POST", path: tenants + "?dryRun=All", body: body,
			header: map[string]string{"Content-Type": []string{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"}[mediaType%3]},
		})
		switch {
		case got.code == 201:
		case got.code >= 400 && got.code < 500:
			if got.status(t).Message == "" {
				t.Errorf("answer %d says nothing: %s", got.code, got.body)
			}
		default:
			t.Errorf("answer %d: %s", got.code, got.body)
		}
	})
}
