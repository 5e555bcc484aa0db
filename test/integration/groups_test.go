// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// TestGroups starts servers with some of the groups.
func TestGroups(t *testing.T) {
	t.Parallel()
	always := []string{"apiextensions.k8s.io", "apiregistration.k8s.io"}
	minimal := append([]string{
		"", "admissionregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "coordination.k8s.io",
		"events.k8s.io", "flowcontrol.apiserver.k8s.io", "rbac.authorization.k8s.io",
	}, always...)
	small := []string{"configmaps", "events", "namespaces", "resourcequotas", "secrets", "serviceaccounts"}
	for name, test := range map[string]struct {
		flag         string
		groups, core []string
	}{
		"minimal":            {"minimal", minimal, small},
		"minimal and others": {"apps,minimal,tenancy.stoa.dev", append([]string{"apps", "tenancy.stoa.dev"}, minimal...), small},
		"some":               {"core,batch", append([]string{"", "batch"}, always...), []string{"pods", "namespaces"}},
		"none":               {"", always, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags("--api-groups="+test.flag))
			client, err := kubernetes.NewForConfig(server.Config())
			if err != nil {
				t.Fatal(err)
			}
			list, err := client.Discovery().ServerGroups()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range list.Groups {
				got = append(got, g.Name)
			}
			slices.Sort(got)
			slices.Sort(test.groups)
			if !slices.Equal(got, test.groups) {
				t.Errorf("groups %q, want %q", got, test.groups)
			}
			if resources := coreResources(t, client); test.flag != "core,batch" && !slices.Equal(resources, test.core) {
				t.Errorf("core has %q, want %q", resources, test.core)
			}
			for _, kind := range test.core {
				if _, err := client.CoreV1().RESTClient().Get().Resource(kind).DoRaw(t.Context()); err != nil {
					t.Errorf("list %s: %v", kind, err)
				}
			}
			if _, err := client.Discovery().OpenAPIV3().Paths(); err != nil {
				t.Error(err)
			}
		})
	}
}

// coreResources are the resources of core, without what belongs to an object.
func coreResources(t *testing.T, client kubernetes.Interface) []string {
	t.Helper()
	list, err := client.Discovery().ServerResourcesForGroupVersion("v1")
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range list.APIResources {
		if !strings.Contains(r.Name, "/") {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestFewGroupsDoTheirWork writes what only needs the smallest server.
func TestFewGroupsDoTheirWork(t *testing.T) {
	t.Parallel()
	server := stoatest.Start(t, stoatest.WithFlags("--api-groups=minimal"))
	configMaps := ownConfigMaps(t, server)
	createConfigMap(t, configMaps, "a", "1")
	if err := configMaps.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}
