// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package version

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

const (
	module          = "github.com/stoa-project/stoa"
	apiserverModule = "k8s.io/apiserver"
	etcdModule      = "go.etcd.io/etcd/server/v3"

	// unreleased is the version of a build that neither the linker nor the
	// module system gave a version.
	unreleased = "v0.1.0-dev"

	// fallbackKubernetes is used where the toolchain recorded no dependencies, as in
	// test binaries. A test compares it with go.mod.
	fallbackKubernetes = "v1.37.2"
)

// Set by the linker: -X github.com/stoa-project/stoa/version.linkedVersion=v1.2.3
//
//nolint:gochecknoglobals // the linker can set variables only; nothing else writes to them
var (
	linkedVersion   string // a release's tag
	linkedCommit    string // hash of the commit
	linkedTreeState string // "clean" or "dirty"
	linkedDate      string // date of the commit, RFC 3339
)

// Info describes a build of Stoa.
type Info struct {
	// Version is Stoa's own version.
	Version string `json:"version"`
	// Kubernetes is the version of Kubernetes whose API and behaviour is implemented.
	Kubernetes string `json:"kubernetes"`
	// Etcd is the version of the embedded etcd; empty where the toolchain did not record it.
	Etcd string `json:"etcd,omitempty"`
	// Commit is the hash of the commit that was built; empty where unknown.
	Commit string `json:"commit,omitempty"`
	// TreeState is "clean", or "dirty" when files differed from the commit; empty where unknown.
	TreeState string `json:"treeState,omitempty"`
	// CommitDate is the date of the commit in RFC 3339; empty where unknown.
	CommitDate string `json:"commitDate,omitempty"`
	// GoVersion is the version of the toolchain.
	GoVersion string `json:"goVersion"`
	// Platform is operating system and architecture, "linux/amd64".
	Platform string `json:"platform"`
}

// Get describes the running binary.
func Get() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return infoFrom(build)
}

// Kubernetes is the version of Kubernetes that is implemented, such as v1.37.2.
func Kubernetes() string {
	return Get().Kubernetes
}

// String is the text that "stoa version" prints: a name and a value a line.
func (i Info) String() string {
	text := &strings.Builder{}
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(text, "%-12s%s\n", name+":", value)
		}
	}
	commit := i.Commit
	if commit != "" && i.TreeState == "dirty" {
		commit += " (with local changes)"
	}
	line("Stoa", i.Version)
	line("Kubernetes", i.Kubernetes)
	line("etcd", i.Etcd)
	line("Commit", commit)
	line("Committed", i.CommitDate)
	line("Go", i.GoVersion)
	line("Platform", i.Platform)
	return text.String()
}

// infoFrom joins what the linker set with what the toolchain recorded.
func infoFrom(build *debug.BuildInfo) Info {
	info := Info{
		Version:    cmp.Or(linkedVersion, moduleVersion(build, module), unreleased),
		Kubernetes: cmp.Or(kubernetesOf(moduleVersion(build, apiserverModule)), fallbackKubernetes),
		Etcd:       moduleVersion(build, etcdModule),
		Commit:     linkedCommit,
		TreeState:  linkedTreeState,
		CommitDate: linkedDate,
		GoVersion:  runtime.Version(),
		Platform:   runtime.GOOS + "/" + runtime.GOARCH,
	}
	// The recorded commit is that of the main module, which is not Stoa when a
	// program uses Stoa as a library.
	if info.Commit == "" && build.Main.Path == module {
		setting := settingsOf(build)
		info.Commit = setting["vcs.revision"]
		info.CommitDate = setting["vcs.time"]
		info.TreeState = map[string]string{"true": "dirty", "false": "clean"}[setting["vcs.modified"]]
	}
	return info
}

// moduleVersion is the version of a module in the build, or empty.
func moduleVersion(build *debug.BuildInfo, path string) string {
	found := build.Main
	for _, dependency := range build.Deps {
		if dependency.Path == path {
			found = *dependency
		}
	}
	if found.Path != path || found.Version == "(devel)" {
		return ""
	}
	return found.Version
}

// kubernetesOf turns the version of a staging module, v0.37.2, into that of
// Kubernetes, v1.37.2. It is empty for what is not a staging version.
func kubernetesOf(staging string) string {
	minorAndPatch, ok := strings.CutPrefix(staging, "v0.")
	if !ok || strings.HasPrefix(minorAndPatch, "0.") { // v0.0.0-2026...: a commit, no release
		return ""
	}
	return "v1." + minorAndPatch
}

func settingsOf(build *debug.BuildInfo) map[string]string {
	settings := make(map[string]string, len(build.Settings))
	for _, setting := range build.Settings {
		settings[setting.Key] = setting.Value
	}
	return settings
}
