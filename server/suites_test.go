// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// Every version of every built-in kind that is stored has a suite of package kindtest.
func TestSuites(t *testing.T) {
	t.Parallel()
	tests := kindTests(t)
	// Definitions and API services come from libraries.
	api := stoatest.Start(t, stoatest.WithOptions(func(o *server.Options) { o.CustomResources, o.Aggregation.Enabled = false, false }))
	client := kubernetes.NewForConfigOrDie(api.Config()).Discovery()
	groups, err := client.ServerGroups()
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for _, version := range metav1.ExtractGroupVersions(groups) {
		// Discovery of all groups at once does not say what is stored.
		list, err := client.ServerResourcesForGroupVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		gv, err := schema.ParseGroupVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if r.StorageVersionHash == "" {
				continue
			}
			stored++
			literal := fmt.Sprintf("{Group: %q, Version: %q, Resource: %q}", gv.Group, gv.Version, r.Name)
			if !strings.Contains(tests, strings.Replace(literal, `Group: "", `, "", 1)) {
				t.Errorf("no suite in registry for %s", literal)
			}
		}
	}
	if stored == 0 {
		t.Error("nothing is stored")
	}
}

// kindTests returns the tests of registry that run suites, one after another.
func kindTests(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	registry := os.DirFS("../registry")
	err := fs.WalkDir(registry, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := fs.ReadFile(registry, path)
		if strings.Contains(string(data), "kindtest.Suite") {
			out.Write(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
