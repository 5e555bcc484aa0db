// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// plaintext is in objects that must not be stored as they are.
const plaintext = "the-plain-text-of-a-secret"

// encryptionFile writes a configuration of encryption. A part is "resources: providers",
// where a provider is "identity" or of the form aescbc/name, with a key for each name.
func encryptionFile(t *testing.T, file string, parts ...string) {
	t.Helper()
	var out strings.Builder
	out.WriteString("apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n")
	for _, part := range parts {
		resources, providers, _ := strings.Cut(part, ": ")
		out.WriteString("- resources: ['" + strings.ReplaceAll(resources, " ", "', '") + "']\n  providers:\n")
		for provider := range strings.FieldsSeq(providers) {
			kind, name, _ := strings.Cut(provider, "/")
			switch kind {
			case "identity":
				out.WriteString("  - identity: {}\n")
			case "kms":
				out.WriteString("  - kms: {apiVersion: v2, name: plugin, endpoint: 'unix:///" + name + "', timeout: 3s}\n")
			default:
				out.WriteString("  - " + kind + ": {keys: [{name: " + name + ", secret: " + encryptionKey(name) + "}]}\n")
			}
		}
	}
	next := file + ".next"
	if err := os.WriteFile(next, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, file); err != nil {
		t.Fatal(err)
	}
}

// encryptionKey is a key of 32 bytes that begins with its name.
func encryptionKey(name string) string {
	return base64.StdEncoding.EncodeToString(append([]byte(name), bytes.Repeat([]byte{7}, 32-len(name))...))
}

// storedAs compares what is stored below a prefix with how it must begin, by key.
func storedAs(t *testing.T, server *stoatest.Server, want map[string]string) {
	t.Helper()
	for key, begin := range want {
		got, err := server.Etcd().Get(t.Context(), "/registry/"+key, clientv3.WithPrefix())
		if err != nil || len(got.Kvs) == 0 {
			t.Fatalf("%s is not stored: %v", key, err)
		}
		for _, kv := range got.Kvs {
			if !bytes.HasPrefix(kv.Value, []byte(begin)) {
				t.Errorf("%s begins with %.40q, want %s", kv.Key, kv.Value, begin)
			}
			if bytes.Contains(kv.Value, []byte(plaintext)) != !strings.HasPrefix(begin, "k8s:enc:") {
				t.Errorf("%s has the plain text, or should have it: %q", kv.Key, kv.Value)
			}
		}
	}
}

func newSecret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"key": plaintext}}
}

func createSecret(t *testing.T, server *stoatest.Server, name string) {
	t.Helper()
	if _, err := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Secrets("default").Create(t.Context(), newSecret(name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// wantSecrets reads the secrets of namespace default through the watch cache and past it.
func wantSecrets(t *testing.T, server *stoatest.Server, names ...string) {
	t.Helper()
	for _, version := range []string{"0", ""} {
		list, err := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{ResourceVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for i := range list.Items {
			got[list.Items[i].Name] = string(list.Items[i].Data["key"])
		}
		want := map[string]string{}
		for _, name := range names {
			want[name] = plaintext
		}
		if !maps.Equal(got, want) {
			t.Errorf("secrets at version %q are %v, want %v", version, got, want)
		}
	}
}

// rewrite replaces every secret of namespace default by itself, as one does after the
// first provider has changed.
func rewrite(t *testing.T, server *stoatest.Server) {
	t.Helper()
	secrets := kubernetes.NewForConfigOrDie(server.Config()).CoreV1().Secrets("default")
	list, err := secrets.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if _, err := secrets.Update(t.Context(), &list.Items[i], metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEncryption stores objects encrypted by all providers that have keys, chosen by
// resource, by group and for all that is left, custom resources included.
func TestEncryption(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	encryptionFile(t, file, "secrets: aescbc/a identity", "widgets.encryption.example.com: aesgcm/b", "*.apps: secretbox/c", "events: identity", "*.*: secretbox/d")
	options := []stoatest.Option{stoatest.WithDataDir(t.TempDir()), stoatest.WithFlags("--encryption-provider-config=" + file)}
	server := stoatest.Start(t, options...)
	client := kubernetes.NewForConfigOrDie(server.Config())
	createSecret(t, server, "s")
	meta := metav1.ObjectMeta{Name: "s", Annotations: map[string]string{"a": plaintext}}
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	event := &corev1.Event{ObjectMeta: meta, InvolvedObject: corev1.ObjectReference{Namespace: "default"}}
	if _, err := client.CoreV1().Events("default").Create(t.Context(), event, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	revision := &appsv1.ControllerRevision{ObjectMeta: meta, Revision: 1, Data: runtime.RawExtension{Raw: []byte("{}")}}
	if _, err := client.AppsV1().ControllerRevisions("default").Create(t.Context(), revision, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	resource := defineOn(t, server, "encryption.example.com", widgets)
	widget := custom(resource, "Widget", "s", map[string]any{"color": plaintext})
	if _, err := dynamic.NewForConfigOrDie(server.Config()).Resource(resource).Namespace("default").Create(t.Context(), widget, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		storedAs(t, server, map[string]string{
			"secrets/default/s":                        "k8s:enc:aescbc:v1:a:",
			"encryption.example.com/widgets/default/s": "k8s:enc:aesgcm:v1:b:",
			"controllerrevisions/default/s":            "k8s:enc:secretbox:v1:c:",
			"configmaps/":                              "k8s:enc:secretbox:v1:d:",
			"namespaces/":                              "k8s:enc:secretbox:v1:d:",
			"clusterroles/":                            "k8s:enc:secretbox:v1:d:",
			"apiextensions.k8s.io/":                    "k8s:enc:secretbox:v1:d:",
			"apiregistration.k8s.io/":                  "k8s:enc:secretbox:v1:d:",
			"events/default/s":                         "k8s\x00",
		})
		wantSecrets(t, server, "s")
		for _, path := range []string{
			"/api/v1/namespaces/default/configmaps/s", "/api/v1/namespaces/default/events/s",
			"/apis/apps/v1/namespaces/default/controllerrevisions/s", "/apis/encryption.example.com/v1/namespaces/default/widgets/s",
		} {
			if got := do(t, request{path: path, config: server.Config()}); got.code != 200 || !bytes.Contains(got.body, []byte(plaintext)) {
				t.Errorf("%s: %d %s", path, got.code, got.body)
			}
		}
	}
	check()
	server.Stop()
	server = stoatest.Start(t, options...)
	check()
}

// TestEncryptionRotation goes from no encryption to a key, to another key, and back.
func TestEncryptionRotation(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	options := []stoatest.Option{stoatest.WithDataDir(t.TempDir()), stoatest.WithFlags("--encryption-provider-config=" + file)}
	var names []string
	for i, step := range []struct{ providers, wrote, rewritten string }{
		{"identity", "k8s\x00", "k8s\x00"},
		{"aescbc/old identity", "k8s:enc:aescbc:v1:old:", "k8s:enc:aescbc:v1:old:"},
		{"secretbox/new aescbc/old", "k8s:enc:secretbox:v1:new:", "k8s:enc:secretbox:v1:new:"},
		{"secretbox/new", "k8s:enc:secretbox:v1:new:", "k8s:enc:secretbox:v1:new:"},
		{"identity secretbox/new", "k8s\x00", "k8s\x00"},
		{"identity", "k8s\x00", "k8s\x00"},
	} {
		encryptionFile(t, file, "secrets: "+step.providers)
		server := stoatest.Start(t, options...)
		wantSecrets(t, server, names...) // before they are written again
		name := string(rune('a' + i))
		names = append(names, name)
		createSecret(t, server, name)
		storedAs(t, server, map[string]string{"secrets/default/" + name: step.wrote})
		rewrite(t, server)
		storedAs(t, server, map[string]string{"secrets/default/": step.rewritten})
		wantSecrets(t, server, names...)
		server.Stop()
	}
}

// TestEncryptionKeyMissing says which objects cannot be read, and why.
func TestEncryptionKeyMissing(t *testing.T) {
	t.Parallel()
	file, dir := filepath.Join(t.TempDir(), "encryption.yaml"), t.TempDir()
	encryptionFile(t, file, "secrets: secretbox/first")
	server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--encryption-provider-config="+file))
	createSecret(t, server, "s")
	server.Stop()
	for name, tc := range map[string]struct{ parts, want string }{
		"another key": {"secrets: secretbox/second", "no matching key was found for the provided Secretbox transformer"},
		"no provider": {"secrets: aescbc/first", "no matching prefix found"},
		"no file":     {"", "identity transformer tried to read encrypted data"},
	} {
		flags := []string{"--watch-cache=false"} // which would hold up readiness for a minute
		if tc.parts != "" {
			encryptionFile(t, file, tc.parts)
			flags = append(flags, "--encryption-provider-config="+file)
		}
		server := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags(flags...))
		for path, want := range map[string]string{
			"secrets/s": "Internal error occurred: StorageError: corrupt object, Code: 7, Key: /secrets/default/s, ResourceVersion: 0, AdditionalErrorMsg: data from the storage is not transformable revision=0: ",
			"secrets":   "failed to read one or more secrets from the storage: StorageError: corrupt object, Code: 7, Key: /registry/secrets/default/s, ResourceVersion: 0, AdditionalErrorMsg: data from the storage is not transformable revision=0: ",
		} {
			got := do(t, request{path: "/api/v1/namespaces/default/" + path, config: server.Config()})
			if message := got.status(t).Message; got.code != 500 || !strings.HasSuffix(message, want+tc.want) {
				t.Errorf("%s: %s: %d %s", name, path, got.code, message)
			}
		}
		server.Stop()
	}
	encryptionFile(t, file, "secrets: secretbox/second secretbox/first")
	server = stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--encryption-provider-config="+file))
	wantSecrets(t, server, "s")
}

// TestEncryptionReload follows the file, and does not follow mistakes.
func TestEncryptionReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	encryptionFile(t, file, "secrets: identity")
	server := stoatest.Start(t, stoatest.WithFlags("--encryption-provider-config="+file, "--encryption-provider-config-automatic-reload"))
	createSecret(t, server, "a")
	storedAs(t, server, map[string]string{"secrets/default/a": "k8s\x00"})
	follows := func(name, begin string) {
		t.Helper()
		eventually(t, func() string {
			rewrite(t, server)
			got, err := server.Etcd().Get(t.Context(), "/registry/secrets/default/"+name)
			if err != nil || len(got.Kvs) != 1 || !bytes.HasPrefix(got.Kvs[0].Value, []byte(begin)) {
				return name + " does not begin with " + begin
			}
			return ""
		})
	}
	encryptionFile(t, file, "secrets: secretbox/new identity")
	follows("a", "k8s:enc:secretbox:v1:new:")
	if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	reloads := func(outcome string) func() string {
		return func() string {
			got := do(t, request{path: "/metrics", config: server.Config()})
			if !bytes.Contains(got.body, []byte("encryption_config_controller_automatic_reloads_total")) || !bytes.Contains(got.body, []byte(outcome)) {
				return "no metric of " + outcome
			}
			return ""
		}
	}
	eventually(t, reloads(`status="failure"`))
	createSecret(t, server, "b")
	storedAs(t, server, map[string]string{"secrets/default/": "k8s:enc:secretbox:v1:new:"})
	encryptionFile(t, file, "*.*: aesgcm/newer secretbox/new identity")
	follows("b", "k8s:enc:aesgcm:v1:newer:")
	eventually(t, reloads(`status="success"`))
	wantSecrets(t, server, "a", "b")
	if got := do(t, request{path: "/readyz/kms-providers", config: server.Config()}); got.code != 200 {
		t.Errorf("health of no plugins: %d %s", got.code, got.body)
	}
}
