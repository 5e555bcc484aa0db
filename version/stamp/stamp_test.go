// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package stamp_test // inside the package, its imports would be initialised before it

import (
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics/legacyregistry"
	_ "k8s.io/component-base/metrics/prometheus/version" // registers kubernetes_build_info when it starts
	baseversion "k8s.io/component-base/version"

	_ "github.com/stoa-project/stoa/version/stamp"
)

func TestLibrariesSayTheVersion(t *testing.T) {
	t.Parallel()
	got := baseversion.Get()
	if got.GitVersion != "v1.37.2" || got.Major != "1" || got.Minor != "37" {
		t.Errorf("component-base says %+v, want v1.37.2", got)
	}
	if got := rest.DefaultKubernetesUserAgent(); !strings.Contains(got, "/v1.37.2 ") {
		t.Errorf("client-go's User-Agent is %q, want v1.37.2", got)
	}
}

// The metric's package copies the version when it is initialised.
func TestStampedBeforeCopied(t *testing.T) {
	t.Parallel()
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "kubernetes_build_info" {
			continue
		}
		for _, label := range family.GetMetric()[0].GetLabel() {
			if label.GetName() == "git_version" && label.GetValue() != "v1.37.2" {
				t.Errorf("kubernetes_build_info has git_version %q, want v1.37.2", label.GetValue())
			}
		}
		return
	}
	t.Error("the metric kubernetes_build_info is missing")
}
