// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
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
