// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	appsv1 "k8s.io/api/apps/v1"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/registry/kind"
)

// Deployments returns the kind Deployment.
func Deployments() kind.Kind {
	return kind.New(kind.Definition[apps.Deployment]{
		Kind: "Deployment", Plural: "deployments", ShortNames: []string{"deploy"}, Categories: []string{"all"},
		Spec:                kind.PartOf(func(d *apps.Deployment) *appsv1.DeploymentSpec { return &d.Spec }),
		Status:              kind.PartOf(func(d *apps.Deployment) *appsv1.DeploymentStatus { return &d.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
