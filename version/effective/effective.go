// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package effective has the versions by which one server behaves: the one it is,
// the one it emulates, and what it answers at /version.
package effective

import (
	utilversion "k8s.io/apimachinery/pkg/util/version"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/component-base/compatibility"

	"github.com/stoa-project/stoa/version"
)

const (
	// emulatedReleases is how many minor releases back a server can be told to behave.
	emulatedReleases = 3
	// firstEmulatedMinor is the first release of Kubernetes that can be emulated: 1.31.
	firstEmulatedMinor = 31
)

// thisBuild is an effective version that describes this build at /version.
// Upstream's takes the git version, commit and date from variables that only
// the linker sets, and would say v0.0.0-master.
type thisBuild struct {
	compatibility.MutableEffectiveVersion
}

var _ compatibility.MutableEffectiveVersion = (*thisBuild)(nil)

// New returns the effective version of one server: the binary and the emulated
// version are those of [version.Kubernetes], and its Info is what /version must
// answer. Register it in a registry of the server's own, so that two servers in
// one process can differ.
func New() compatibility.MutableEffectiveVersion {
	binary := utilversion.MustParse(version.Kubernetes())
	floor := binary.WithPatch(0).SubtractMinor(emulatedReleases)
	if first := utilversion.MajorMinor(1, firstEmulatedMinor); floor.LessThan(first) {
		floor = first
	}
	const fromLinkerVariables = false
	return &thisBuild{compatibility.NewEffectiveVersion(binary, fromLinkerVariables, floor, floor)}
}

// Info is called once, when the server installs /version.
func (v *thisBuild) Info() *apimachineryversion.Info {
	build := version.Get()
	info := v.MutableEffectiveVersion.Info()
	info.GitVersion = build.Kubernetes
	info.GitCommit = build.Commit
	info.GitTreeState = build.TreeState
	if build.CommitDate != "" {
		info.BuildDate = build.CommitDate
	}
	return info
}
