// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t)
	kindtest.Run(t, kindtest.Suite{
		Config:    server.Config(),
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "secrets"},
		Namespace: "default",
		Valid: `
apiVersion: v1
kind: Secret
type: example.com/token
data: {token: c2VjcmV0}
`,
		Update: `data: {token: b3RoZXI=}`,
		Invalid: []kindtest.Invalid{{
			Name:     "another type",
			OnUpdate: true,
			Patch:    `type: Opaque`,
			Errors:   []string{`type: Invalid value: "Opaque": field is immutable`},
		}, {
			Name:  "a key that cannot be a file name",
			Patch: `data: {"a b": ""}`,
			Errors: []string{
				`data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
			},
		}, {
			Name:   "service account token of nobody",
			Patch:  `type: kubernetes.io/service-account-token`,
			Errors: []string{`metadata.annotations[kubernetes.io/service-account.name]: Required value`},
		}, {
			Name:   "TLS without its parts",
			Patch:  `type: kubernetes.io/tls`,
			Errors: []string{`data[tls.crt]: Required value`, `data[tls.key]: Required value`},
		}, {
			Name:   "docker config that is no JSON",
			Patch:  `{type: kubernetes.io/dockerconfigjson, data: {.dockerconfigjson: c2VjcmV0}}`,
			Errors: []string{`data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character 's' looking for beginning of value`},
		}, {
			Name:   "old docker config that is missing",
			Patch:  `type: kubernetes.io/dockercfg`,
			Errors: []string{`data[.dockercfg]: Required value`},
		}, {
			Name:   "basic auth without user or password",
			Patch:  `type: kubernetes.io/basic-auth`,
			Errors: []string{`data[username]: Required value`, `data[password]: Required value`},
		}, {
			Name:   "SSH without a key",
			Patch:  `type: kubernetes.io/ssh-auth`,
			Errors: []string{`data[ssh-privatekey]: Required value`},
		}},
		Columns:   []string{"Name", "Type", "Data", "Age"},
		Selectors: map[string]bool{"type=example.com/token": true, "type=Opaque": false, "type!=Opaque": true, "metadata.namespace=default": true},
	})
}

func TestSecretContents(t *testing.T) {
	t.Parallel()
	yes := true
	config := stoatest.Start(t).Config()
	warnings := &recorder{}
	config.WarningHandlerWithContext = warnings
	client := kubernetes.NewForConfigOrDie(config).CoreV1().Secrets("default")
	for _, tc := range []struct {
		name         string
		obj          corev1.Secret
		wantType     corev1.SecretType
		wantData     map[string][]byte
		wantWarnings []string
		wantError    string
	}{
		{name: "empty", wantType: "Opaque"},
		{name: "string-data", obj: corev1.Secret{Data: map[string][]byte{"a": []byte("1"), "b": []byte("2")}, StringData: map[string]string{"b": "3"}},
			wantType: "Opaque", wantData: map[string][]byte{"a": []byte("1"), "b": []byte("3")}},
		{name: "basic", obj: corev1.Secret{Type: "kubernetes.io/basic-auth", StringData: map[string]string{"password": ""}},
			wantType: "kubernetes.io/basic-auth", wantData: map[string][]byte{"password": {}}},
		{name: "ssh", obj: corev1.Secret{Type: "kubernetes.io/ssh-auth", StringData: map[string]string{"ssh-privatekey": "x"}},
			wantType: "kubernetes.io/ssh-auth", wantData: map[string][]byte{"ssh-privatekey": []byte("x")}},
		{name: "docker", obj: corev1.Secret{Type: "kubernetes.io/dockerconfigjson", StringData: map[string]string{".dockerconfigjson": "{}"}},
			wantType: "kubernetes.io/dockerconfigjson", wantData: map[string][]byte{".dockerconfigjson": []byte("{}")}},
		{name: "tls", obj: corev1.Secret{Type: "kubernetes.io/tls", StringData: map[string]string{"tls.crt": "x", "tls.key": "y"}},
			wantType: "kubernetes.io/tls", wantData: map[string][]byte{"tls.crt": []byte("x"), "tls.key": []byte("y")},
			wantWarnings: []string{"tls: failed to find any PEM data in certificate input"}},
		{name: "token", obj: corev1.Secret{Type: "kubernetes.io/service-account-token", ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"kubernetes.io/service-account.name": "robot"}}},
			wantType: "kubernetes.io/service-account-token"},
		{name: "immutable", obj: corev1.Secret{Immutable: &yes, StringData: map[string]string{"a": "1"}},
			wantType: "Opaque", wantData: map[string][]byte{"a": []byte("1")}},
		{name: "too-big", obj: corev1.Secret{Data: map[string][]byte{"a": make([]byte, 1024*1024), "b": {1}}},
			wantError: `Secret "too-big" is invalid: data: Too long: may not be more than 1048576 bytes`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.obj.Name = tc.name
			created, err := client.Create(t.Context(), &tc.obj, metav1.CreateOptions{})
			if diff := cmp.Diff(tc.wantError, text(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantWarnings, warnings.take()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			if created.Type != tc.wantType || len(created.StringData) > 0 {
				t.Errorf("type is %q, want %q; stringData is %v, want none", created.Type, tc.wantType, created.StringData)
			}
			if diff := cmp.Diff(tc.wantData, created.Data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			created.StringData = map[string]string{"a": "changed"}
			_, err = client.Update(t.Context(), created, metav1.UpdateOptions{})
			want := ""
			if tc.obj.Immutable != nil {
				want = "Secret \"immutable\" is invalid: data: Forbidden: field is immutable when `immutable` is set"
			}
			if diff := cmp.Diff(want, text(err)); diff != "" {
				t.Errorf("error of update (-want +got):\n%s", diff)
			}
			warnings.take()
		})
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
