// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestPatchOfSecret has somebody change a Secret who may not read it. No error tells him
// what is in it.
func TestPatchOfSecret(t *testing.T) {
	t.Parallel()
	namespace, who := newNamespace(t), unique(t)
	grantEverywhere(t, who, []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"patch"}}})
	if _, err := admin(t).CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"key": plaintext}, Type: "example.com/type",
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const illegal = ` "" is invalid: patch: Invalid value: "<secret contents redacted>": `
	for _, kind := range []string{"application/json", "application/vnd.kubernetes.protobuf", "application/yaml"} {
		config := rest.CopyConfig(api.Config())
		config.Impersonate.UserName, config.AcceptContentTypes = who, kind
		secrets := kubernetes.NewForConfigOrDie(config).CoreV1().Secrets(namespace)
		eventually(t, func() string { // the right is known
			_, err := secrets.Patch(t.Context(), "s", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
			return text(err)
		})
		for patch, want := range map[string]string{
			`{"data":{"key2":"!"}}`:                  illegal + "illegal base64 data at input byte 0",
			`{"data":{"key2":{}}}`:                   illegal + "json: cannot unmarshal object into Go struct field Secret.data of type []uint8",
			`{"data":{"a b":"eA=="},"type":"other"}`: `Secret "s" is invalid: [type: Invalid value: "other": field is immutable, data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')]`,
		} {
			_, err := secrets.Patch(t.Context(), "s", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			if diff := cmp.Diff(want, text(err)); diff != "" || !apierrors.IsInvalid(err) {
				t.Errorf("%s, %s (-want +got):\n%s", kind, patch, diff)
			}
		}
	}
}

// TestPatchOfLargeSecret has an error in which the whole object would be: larger than what
// is sent as it is. The answer is not compressed, and says so.
func TestPatchOfLargeSecret(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"key": strings.Repeat(plaintext, 10_000)}}
	if _, err := admin(t).CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []string{"gzip", "identity"} {
		got := do(t, request{
			method: http.MethodPatch, path: "/api/v1/namespaces/" + namespace + "/secrets/s", body: []byte(`{"data":{"key2":"!"}}`),
			header: map[string]string{"Content-Type": "application/merge-patch+json", "Accept-Encoding": encoding},
		})
		if in := got.header.Get("Content-Encoding"); in != "" || got.code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d, in %q, want it as it is", encoding, got.code, in)
		}
		const message = ` "" is invalid: patch: Invalid value: "<secret contents redacted>": illegal base64 data at input byte 0`
		if diff := cmp.Diff(message, got.status(t).Message); diff != "" {
			t.Errorf("%s: (-want +got):\n%.1000s", encoding, diff)
		}
	}
	// What is allowed may be compressed.
	got := do(t, request{
		method: http.MethodPatch, path: "/api/v1/namespaces/" + namespace + "/secrets/s", body: []byte(`{"metadata":{"labels":{"a":"b"}}}`),
		header: map[string]string{"Content-Type": "application/merge-patch+json", "Accept-Encoding": "gzip"},
	})
	if in := got.header.Get("Content-Encoding"); in != "gzip" || got.code != http.StatusOK {
		t.Errorf("%d, in %q, want it in gzip", got.code, in)
	}
}
