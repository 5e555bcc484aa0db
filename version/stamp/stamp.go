// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package stamp is imported for its effect: it gives the Kubernetes libraries in
// a binary the version that Stoa implements, so that "kubectl version", the
// User-Agent of clients and the metric kubernetes_build_info are right.
//
// The libraries keep it in unexported variables for the linker's -X to set, and
// refuse another one at run time. A plain "go build" passes no flags; this
// package sets the same variables. It is for main packages only: a library must not
// change what the program around it says about itself. A version that was
// set with -X stays.
//
// The language promises the order in which packages are initialised: by import
// path, once their imports are. So this runs before the packages of k8s.io that
// copy the version when they start (metrics registry, kubectl apply), as long as
// it imports no more of k8s.io than the two packages whose variables it sets.
package stamp

import (
	"strings"
	_ "unsafe" // for go:linkname

	_ "k8s.io/client-go/pkg/version" // holds variables that are set here
	baseversion "k8s.io/component-base/version"

	"github.com/stoa-project/stoa/version"
)

//nolint:gochecknoglobals // names for the variables of the libraries
var (
	//go:linkname baseVersion k8s.io/component-base/version.gitVersion
	baseVersion string
	//go:linkname baseMajor k8s.io/component-base/version.gitMajor
	baseMajor string
	//go:linkname baseMinor k8s.io/component-base/version.gitMinor
	baseMinor string
	//go:linkname baseCommit k8s.io/component-base/version.gitCommit
	baseCommit string
	//go:linkname baseTreeState k8s.io/component-base/version.gitTreeState
	baseTreeState string
	//go:linkname baseDate k8s.io/component-base/version.buildDate
	baseDate string

	//go:linkname clientVersion k8s.io/client-go/pkg/version.gitVersion
	clientVersion string
	//go:linkname clientCommit k8s.io/client-go/pkg/version.gitCommit
	clientCommit string
)

//nolint:gochecknoinits // the libraries copy the version while packages are initialised
func init() {
	const unset = "v0.0.0-master"
	info := version.Get()
	if strings.HasPrefix(clientVersion, unset) {
		clientVersion, clientCommit = info.Kubernetes, info.Commit
	}
	if !strings.HasPrefix(baseVersion, unset) {
		return
	}
	numbers := strings.Split(strings.TrimPrefix(info.Kubernetes, "v"), ".")
	baseVersion, baseMajor, baseMinor = info.Kubernetes, numbers[0], numbers[1]
	baseCommit, baseTreeState = info.Commit, info.TreeState
	if info.CommitDate != "" {
		baseDate = info.CommitDate
	}
	// The library serves a copy, and accepts only what the variable says.
	if err := baseversion.SetDynamicVersion(info.Kubernetes); err != nil {
		panic(err)
	}
}
