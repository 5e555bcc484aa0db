// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestValidatePriorityClass(t *testing.T) {
	t.Parallel()
	const reserved = "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: "
	for name, test := range map[string]struct {
		name  string
		value int32
		want  string
	}{
		"of a user":             {"mine", 1000000000, ""},
		"too high":              {"mine", 1000000001, "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"},
		"of the system":         {"system-cluster-critical", 2000000000, ""},
		"with another value":    {"system-cluster-critical", 1, reserved + "value of system-cluster-critical PriorityClass must be 2000000000"},
		"unknown to the system": {"system-mine", 1, reserved + "system-mine is not a known system priority class"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			fielderrorstest.Compare(t, want, ValidatePriorityClass(&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: test.name}, Value: test.value}))
		})
	}
}
