// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package externalips_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/externalips"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	const refused = `services "x" is forbidden: Use of external IPs is denied by admission control`
	services := corev1.SchemeGroupVersion.WithResource("services")
	service := func(ips ...string) *core.Service { return &core.Service{Spec: corev1.ServiceSpec{ExternalIPs: ips}} }
	p := admissiontest.Start(t, externalips.Register, admissiontest.Plugin{})
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    string
	}{
		"none":    {admissiontest.Request{Obj: service(), Resource: services}, ""},
		"new":     {admissiontest.Request{Obj: service("1.1.1.1"), Resource: services}, refused},
		"kept":    {admissiontest.Request{Obj: service("1.1.1.1"), Old: service("2.2.2.2", "1.1.1.1"), Resource: services}, ""},
		"another": {admissiontest.Request{Obj: service("1.1.1.1", "3.3.3.3"), Old: service("1.1.1.1"), Resource: services}, refused},
		"status":  {admissiontest.Request{Obj: service("1.1.1.1"), Old: service(), Resource: services, Subresource: "status"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, p.Do(t.Context(), tc.request), tc.want)
		})
	}
}
