// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

const (
	noKey = `a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`
)

func namespaced() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: "a", Namespace: "b", ResourceVersion: "1"}
}

func TestValidateNamespace(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		obj  corev1.Namespace
		want []string
	}{
		{"valid", corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"},
			Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"kubernetes", "example.com/mine"}}}, nil},
		{"spec finalizer", corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"},
			Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"mine"}}}, []string{
			`spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.want, ValidateNamespace(&tc.obj))
		})
	}
}

func TestValidateNamespaceSubresources(t *testing.T) {
	t.Parallel()
	namespace := func(phase corev1.NamespacePhase, deleted *metav1.Time, finalizers ...corev1.FinalizerName) *corev1.Namespace {
		return &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: "a", ResourceVersion: "1", DeletionTimestamp: deleted},
			Spec:       corev1.NamespaceSpec{Finalizers: finalizers}, Status: corev1.NamespaceStatus{Phase: phase},
		}
	}
	status := ValidateNamespaceStatus
	now := metav1.Now()
	fielderrorstest.Compare(t, nil, status(namespace("Active", nil)))
	fielderrorstest.Compare(t, nil, status(namespace("Terminating", &now)))
	fielderrorstest.Compare(t, []string{"status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"},
		status(namespace("Terminating", nil)))
	fielderrorstest.Compare(t, []string{"status.Phase: Invalid value: \"Active\": may only be 'Terminating' if `deletionTimestamp` is not empty"},
		status(namespace("Active", &now)))
	fielderrorstest.Compare(t, []string{`spec.finalizers[1]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`},
		ValidateNamespaceFinalize(namespace("Active", nil, "kubernetes", "mine")))
}

func TestValidateConfigMap(t *testing.T) {
	t.Parallel()
	mebi := strings.Repeat("x", 1<<20)
	for _, tc := range []struct {
		name string
		obj  corev1.ConfigMap
		want []string
	}{
		{"valid", corev1.ConfigMap{Data: map[string]string{"a.b_c-D": "1"}, BinaryData: map[string][]byte{"e": {0}}}, nil},
		{"as big as can be", corev1.ConfigMap{Data: map[string]string{"a": mebi}}, nil},
		{"too big", corev1.ConfigMap{Data: map[string]string{"a": mebi}, BinaryData: map[string][]byte{"b": {0}}}, []string{
			"[]: Too long: may not be more than 1048576 bytes"}},
		{"key", corev1.ConfigMap{Data: map[string]string{"a/b": "1"}}, []string{
			`data[a/b]: Invalid value: "a/b": ` + noKey}},
		{"key that is a folder", corev1.ConfigMap{BinaryData: map[string][]byte{"..": nil}}, []string{
			`binaryData[..]: Invalid value: "..": must not be '..'`}},
		{"key in both", corev1.ConfigMap{Data: map[string]string{"a": ""}, BinaryData: map[string][]byte{"a": nil}}, []string{
			`data[a]: Invalid value: "a": duplicate of key present in binaryData`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.obj.ObjectMeta = namespaced()
			fielderrorstest.Compare(t, tc.want, ValidateConfigMap(&tc.obj))
		})
	}
}

func TestValidateConfigMapUpdate(t *testing.T) {
	t.Parallel()
	fixed := corev1.ConfigMap{ObjectMeta: namespaced(), Immutable: new(true), Data: map[string]string{"a": "1"}}
	for _, tc := range []struct {
		name   string
		change func(*corev1.ConfigMap)
		want   []string
	}{
		{"label", func(o *corev1.ConfigMap) { o.Labels = map[string]string{"a": "b"} }, nil},
		{"released", func(o *corev1.ConfigMap) { o.Immutable = new(false) }, []string{
			"immutable: Forbidden: field is immutable when `immutable` is set"}},
		{"data", func(o *corev1.ConfigMap) { o.Data["a"] = "2" }, []string{
			"data: Forbidden: field is immutable when `immutable` is set"}},
		{"binary data", func(o *corev1.ConfigMap) { o.BinaryData = map[string][]byte{"b": nil} }, []string{
			"binaryData: Forbidden: field is immutable when `immutable` is set"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := fixed.DeepCopy()
			tc.change(obj)
			fielderrorstest.Compare(t, tc.want, ValidateConfigMapUpdate(obj, &fixed))
			free := fixed.DeepCopy()
			free.Immutable = nil
			fielderrorstest.Compare(t, nil, ValidateConfigMapUpdate(obj, free))
		})
	}
}

func TestValidateSecret(t *testing.T) {
	t.Parallel()
	data := func(keys ...string) map[string][]byte {
		out := map[string][]byte{}
		for _, key := range keys {
			out[key] = []byte("x")
		}
		return out
	}
	for _, tc := range []struct {
		name string
		obj  corev1.Secret
		want []string
	}{
		{"opaque", corev1.Secret{Type: "Opaque", Data: data("a")}, nil},
		{"own type", corev1.Secret{Type: "example.com/x"}, nil},
		{"key", corev1.Secret{Data: data("a b")}, []string{`data[a b]: Invalid value: "a b": ` + noKey}},
		{"too big", corev1.Secret{Data: map[string][]byte{"a": make([]byte, 1<<20+1)}}, []string{
			"data: Too long: may not be more than 1048576 bytes"}},
		{"token", corev1.Secret{Type: "kubernetes.io/service-account-token"}, []string{
			"metadata.annotations[kubernetes.io/service-account.name]: Required value"}},
		{"dockercfg", corev1.Secret{Type: "kubernetes.io/dockercfg"}, []string{"data[.dockercfg]: Required value"}},
		{"dockercfg text", corev1.Secret{Type: "kubernetes.io/dockercfg", Data: data(".dockercfg")}, []string{
			`data[.dockercfg]: Invalid value: "<secret contents redacted>": invalid character 'x' looking for beginning of value`}},
		{"dockerconfigjson", corev1.Secret{Type: "kubernetes.io/dockerconfigjson"}, []string{"data[.dockerconfigjson]: Required value"}},
		{"basic auth", corev1.Secret{Type: "kubernetes.io/basic-auth"}, []string{
			"data[username]: Required value", "data[password]: Required value"}},
		{"basic auth with one", corev1.Secret{Type: "kubernetes.io/basic-auth", Data: data("password")}, nil},
		{"ssh", corev1.Secret{Type: "kubernetes.io/ssh-auth", Data: map[string][]byte{"ssh-privatekey": {}}}, []string{
			"data[ssh-privatekey]: Required value"}},
		{"tls", corev1.Secret{Type: "kubernetes.io/tls"}, []string{
			"data[tls.crt]: Required value", "data[tls.key]: Required value"}},
		{"tls with both", corev1.Secret{Type: "kubernetes.io/tls", Data: data("tls.crt", "tls.key")}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.obj.ObjectMeta = namespaced()
			fielderrorstest.Compare(t, tc.want, ValidateSecret(&tc.obj))
		})
	}
}

func TestValidateSecretUpdate(t *testing.T) {
	t.Parallel()
	fixed := corev1.Secret{ObjectMeta: namespaced(), Type: "Opaque", Immutable: new(true), Data: map[string][]byte{"a": {1}}}
	for _, tc := range []struct {
		name   string
		change func(*corev1.Secret)
		want   []string
	}{
		{"nothing", func(*corev1.Secret) {}, nil},
		{"type", func(o *corev1.Secret) { o.Type = "x/y" }, []string{`type: Invalid value: "x/y": field is immutable`}},
		{"released", func(o *corev1.Secret) { o.Immutable = nil }, []string{
			"immutable: Forbidden: field is immutable when `immutable` is set"}},
		{"data", func(o *corev1.Secret) { o.Data = nil }, []string{
			"data: Forbidden: field is immutable when `immutable` is set"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			obj := fixed.DeepCopy()
			tc.change(obj)
			fielderrorstest.Compare(t, tc.want, ValidateSecretUpdate(obj, &fixed))
		})
	}
}

func TestWarningsOnSecret(t *testing.T) {
	t.Parallel()
	want := []string{"tls: failed to find any PEM data in certificate input"}
	if diff := cmp.Diff(want, WarningsOnSecret(&corev1.Secret{Type: "kubernetes.io/tls"})); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if got := WarningsOnSecret(&corev1.Secret{Type: "Opaque"}); got != nil {
		t.Errorf("warns of an opaque secret: %v", got)
	}
}

// Errors come in the order of the keys, whatever the map does.
func TestErrorsAreInOrder(t *testing.T) {
	t.Parallel()
	obj := &corev1.ConfigMap{ObjectMeta: namespaced(), Data: map[string]string{}}
	for _, key := range []string{"c/", "a/", "b/", "e/", "d/"} {
		obj.Data[key] = ""
	}
	var got []string
	for _, err := range ValidateConfigMap(obj) {
		got = append(got, err.Field)
	}
	var want []string
	for _, key := range slices.Sorted(maps.Keys(obj.Data)) {
		want = append(want, "data["+key+"]")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}
