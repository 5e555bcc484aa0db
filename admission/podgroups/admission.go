// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package podgroups has the names of the admission plugins for pods that are scheduled
// together. What they look after, PodGroups and Workloads, is not served: Kubernetes has
// both off by default, with the gate GenericWorkload. So they see nothing.
package podgroups

import (
	"io"

	"k8s.io/apiserver/pkg/admission"
)

// Names are what --enable-admission-plugins calls them.
const (
	ProtectionName = "PodGroupProtection"
	WorkloadName   = "PodGroupWorkloadExists"
	JobName        = "JobValidation"
)

// Register returns what adds the plugin of a name to those that can be enabled.
func Register(name string) func(*admission.Plugins) {
	return func(plugins *admission.Plugins) {
		plugins.Register(name, func(io.Reader) (admission.Interface, error) { return admission.NewHandler(), nil })
	}
}
