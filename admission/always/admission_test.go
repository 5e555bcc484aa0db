// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package always_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/always"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugins(t *testing.T) {
	t.Parallel()
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	for _, r := range []admissiontest.Request{
		{Obj: &core.Pod{}, Resource: pods}, {Obj: &core.Pod{}, Old: &core.Pod{}, Resource: pods, Subresource: "status"},
	} {
		admissiontest.Check(t, admissiontest.Start(t, always.RegisterAdmit, admissiontest.Plugin{}).Do(t.Context(), r), "")
		admissiontest.Check(t, admissiontest.Start(t, always.RegisterDeny, admissiontest.Plugin{}).Do(t.Context(), r),
			`pods "x" is forbidden: admission control is denying all modifications`)
	}
}
