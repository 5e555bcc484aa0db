// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/registry/kind/kindtest"
	"github.com/stoa-project/stoa/stoatest"
)

func TestPodSecurityPolicies(t *testing.T) {
	t.Parallel()
	kindtest.Run(t, kindtest.Suite{
		Config:   stoatest.Start(t, stoatest.WithFlags("--enable-admission-plugins=PodSecurityPolicy")).Config(),
		Resource: schema.GroupVersionResource{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"},
		Valid: "{apiVersion: policy/v1beta1, kind: PodSecurityPolicy, spec: {allowPrivilegeEscalation: true, " +
			"seLinux: {rule: RunAsAny}, runAsUser: {rule: RunAsAny}, fsGroup: {rule: RunAsAny}, supplementalGroups: {rule: RunAsAny}}}",
		Update: "spec: {allowPrivilegeEscalation: false, volumes: [secret]}",
		Invalid: []kindtest.Invalid{{
			Name: "unknown rule", Patch: "spec: {runAsUser: {rule: Any}}",
			Errors: []string{`spec.runAsUser.rule: Unsupported value: "Any": supported values: "MustRunAs", "MustRunAsNonRoot", "RunAsAny"`},
		}, {
			Name: "range", OnUpdate: true, Patch: "spec: {fsGroup: {rule: MustRunAs, ranges: [{min: 2, max: 1}]}}",
			Errors: []string{"spec.fsGroup.ranges[0].min: Invalid value: 2: min cannot be greater than max"},
		}},
		Columns:    []string{"Name", "Priv", "Caps", "SELinux", "RunAsUser", "FsGroup", "SupGroup", "ReadOnlyRootFs", "Volumes"},
		ShortNames: []string{"psp"},
	})
}
