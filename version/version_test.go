// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package version

import (
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Every k8s.io staging module in go.mod must be of the release the constant names.
func TestConstantAgreesWithGoMod(t *testing.T) {
	t.Parallel()
	gomod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(k8s\.io/[a-z-]+) (v0\.[1-9][0-9.]*)(?:$|\s)`).FindAllStringSubmatch(string(gomod), -1)
	if len(found) < 5 {
		t.Fatalf("found only %d staging modules in go.mod: %q", len(found), found)
	}
	for _, module := range found {
		if got := kubernetesOf(module[2]); got != fallbackKubernetes {
			t.Errorf("go.mod requires %s of Kubernetes %s, but fallbackKubernetes is %s", module[1], got, fallbackKubernetes)
		}
	}
}

func TestKubernetesOf(t *testing.T) {
	t.Parallel()
	for staging, want := range map[string]string{
		"v0.37.2":                            "v1.37.2",
		"v0.38.0-alpha.1":                    "v1.38.0-alpha.1",
		"v0.0.0-20260721132016-d427ff9ee9ad": "",
		"v1.2.3":                             "",
		"(devel)":                            "",
		"":                                   "",
	} {
		if got := kubernetesOf(staging); got != want {
			t.Errorf("kubernetesOf(%q) = %q, want %q", staging, got, want)
		}
	}
}

func TestInfoFrom(t *testing.T) {
	t.Parallel()
	checkout := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123abcd"},
		{Key: "vcs.time", Value: "2026-11-21T20:00:00Z"},
		{Key: "vcs.modified", Value: "true"},
	}
	tests := map[string]struct {
		build debug.BuildInfo
		want  Info
	}{
		"nothing recorded": {
			want: Info{Version: "v0.1.0-dev", Kubernetes: "v1.37.2"},
		},
		"built from a checkout": {
			build: debug.BuildInfo{
				Main:     debug.Module{Path: "github.com/stoa-project/stoa", Version: "(devel)"},
				Settings: checkout,
			},
			want: Info{
				Version: "v0.1.0-dev", Kubernetes: "v1.37.2",
				Commit: "0123abcd", TreeState: "dirty", CommitDate: "2026-11-21T20:00:00Z",
			},
		},
		"used as a library": {
			build: debug.BuildInfo{
				Main: debug.Module{Path: "example.com/app", Version: "v9.9.9"},
				Deps: []*debug.Module{
					{Path: "github.com/stoa-project/stoa", Version: "v0.3.0"},
					{Path: "go.etcd.io/etcd/server/v3", Version: "v3.7.3"},
					{Path: "k8s.io/apiserver", Version: "v0.37.5"},
				},
				Settings: checkout,
			},
			want: Info{Version: "v0.3.0", Kubernetes: "v1.37.5", Etcd: "v3.7.3"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := infoFrom(&test.build)
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(Info{}, "GoVersion", "Platform")); diff != "" {
				t.Errorf("wrong info (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInfoString(t *testing.T) {
	t.Parallel()
	info := Info{
		Version: "v0.1.0", Kubernetes: "v1.37.2", Commit: "0123abcd", TreeState: "dirty",
		GoVersion: "go1.26.8", Platform: "linux/arm64",
	}
	want := strings.TrimLeft(`
Stoa:       v0.1.0
Kubernetes: v1.37.2
Commit:     0123abcd (with local changes)
Go:         go1.26.8
Platform:   linux/arm64
`, "\n")
	if diff := cmp.Diff(want, info.String()); diff != "" {
		t.Errorf("wrong text (-want +got):\n%s", diff)
	}
}
