// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestConfigMaps(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:    stoatest.Start(t).Config(),
		Resource:  schema.GroupVersionResource{Version: "v1", Resource: "configmaps"},
		Namespace: "default",
		Valid: `
apiVersion: v1
kind: ConfigMap
data: {color: red, shape: round}
binaryData: {raw: AAEC}
`,
		Update: `data: {color: blue}`,
		Invalid: []kindtest.Invalid{{
			Name:  "a key that cannot be a file name",
			Patch: `data: {"a/b": x, "..": z}`,
			Errors: []string{
				`data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
				`data[..]: Invalid value: "..": must not be '..'`,
			},
		}, {
			Name:   "one key in both parts",
			Patch:  `binaryData: {color: AAEC}`,
			Errors: []string{`data[color]: Invalid value: "color": duplicate of key present in binaryData`},
		}, {
			Name:   "a finalizer without a domain",
			Patch:  `metadata: {finalizers: [mine]}`,
			Errors: []string{`metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`},
		}, {
			Name:   "a label that is none",
			Patch:  `metadata: {labels: {a: "-"}}`,
			Errors: []string{`metadata.labels: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`},
		}, {
			Name:     "a bad key in an update",
			OnUpdate: true,
			Patch:    `data: {"": x}`,
			Errors:   []string{`data[]: Invalid value: "": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`},
		}},
		Columns:    []string{"Name", "Data", "Age"},
		ShortNames: []string{"cm"},
	})
}

func TestConfigMapImmutable(t *testing.T) {
	t.Parallel()
	client := kubernetes.NewForConfigOrDie(stoatest.Start(t).Config()).CoreV1().ConfigMaps("default")
	yes, no := true, false
	for _, tc := range []struct {
		name   string
		change func(*corev1.ConfigMap)
		want   string
	}{
		{name: "labels", change: func(c *corev1.ConfigMap) { c.Labels = map[string]string{"a": "b"} }},
		{name: "unset", change: func(c *corev1.ConfigMap) { c.Immutable = nil },
			want: "immutable: Forbidden: field is immutable when `immutable` is set"},
		{name: "false", change: func(c *corev1.ConfigMap) { c.Immutable = &no },
			want: "immutable: Forbidden: field is immutable when `immutable` is set"},
		{name: "data", change: func(c *corev1.ConfigMap) { c.Data["color"] = "blue" },
			want: "data: Forbidden: field is immutable when `immutable` is set"},
		{name: "binary-data", change: func(c *corev1.ConfigMap) { c.BinaryData = map[string][]byte{"raw": {1}} },
			want: "binaryData: Forbidden: field is immutable when `immutable` is set"},
		{name: "all", change: func(c *corev1.ConfigMap) {
			c.Immutable, c.Data, c.BinaryData = nil, nil, map[string][]byte{"raw": {1}}
		},
			want: "[immutable: Forbidden: field is immutable when `immutable` is set, data: Forbidden: field is immutable when `immutable` is set, binaryData: Forbidden: field is immutable when `immutable` is set]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			created, err := client.Create(t.Context(), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: tc.name}, Immutable: &yes, Data: map[string]string{"color": "red"},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			tc.change(created)
			_, err = client.Update(t.Context(), created, metav1.UpdateOptions{})
			want := ""
			if tc.want != "" {
				want = `ConfigMap "` + tc.name + `" is invalid: ` + tc.want
			}
			if diff := cmp.Diff(want, text(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if tc.want != "" && !apierrors.IsInvalid(err) {
				t.Errorf("%v is not Invalid", err)
			}
			if err := client.Delete(t.Context(), tc.name, metav1.DeleteOptions{}); err != nil {
				t.Errorf("delete of an immutable config map: %v", err)
			}
		})
	}
}

// text is the text of an error, empty for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
