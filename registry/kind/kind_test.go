// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func name(*corev1.ConfigMap) string { return "" }

// TestIncompleteDefinition checks that a mistake in a definition is an error that
// says what is wrong, before anything is served.
func TestIncompleteDefinition(t *testing.T) {
	t.Parallel()
	good := func() Definition[corev1.ConfigMap] {
		return Definition[corev1.ConfigMap]{Kind: "ConfigMap", Plural: "configmaps"}
	}
	for want, change := range map[string]func(*Definition[corev1.ConfigMap]){
		"Kind and Plural must be set":       func(d *Definition[corev1.ConfigMap]) { d.Plural = "" },
		"a column must have Name and Value": func(d *Definition[corev1.ConfigMap]) { d.Columns = []Column[corev1.ConfigMap]{{Name: "A"}} },
		"a field must have Path and Value":  func(d *Definition[corev1.ConfigMap]) { d.Fields = []Field[corev1.ConfigMap]{{Path: "a"}} },
		"at most one field may have Index": func(d *Definition[corev1.ConfigMap]) {
			d.Fields = []Field[corev1.ConfigMap]{{Path: "a", Value: name, Index: true}, {Path: "b", Value: name, Index: true}}
		},
		"a subresource must have Name, Part": func(d *Definition[corev1.ConfigMap]) { d.Subresources = []Subresource[corev1.ConfigMap]{{Name: "a"}} },
		"a scale must have Replicas":         func(d *Definition[corev1.ConfigMap]) { d.Scale = &Scale[corev1.ConfigMap]{} },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			d := good()
			change(&d)
			k := New(d).(*kind)
			if err := k.check(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
	if err := New(good()).(*kind).check(); err != nil {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	k := New(Definition[corev1.ConfigMap]{Kind: "ConfigMap", Plural: "configmaps"}).(*kind)
	if k.Singular != "configmap" || k.Resource() != "configmaps" {
		t.Errorf("singular is %q, resource is %q", k.Singular, k.Resource())
	}
	obj := &corev1.ConfigMap{}
	obj.Name = "a"
	table, err := k.table.ConvertToTable(t.Context(), obj, nil)
	if err != nil || len(table.Rows) != 1 || table.Rows[0].Cells[0] != "a" || table.Rows[0].Cells[1] != "<unknown>" {
		t.Errorf("table is %+v, %v", table, err)
	}
	if _, err := k.table.ConvertToTable(t.Context(), &corev1.Secret{}, nil); err == nil {
		t.Error("a table of another kind was made")
	}
	if _, _, err := k.attributes(&corev1.Secret{}); err == nil {
		t.Error("fields of another kind were read")
	}
}
