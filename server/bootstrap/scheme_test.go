// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	corev1 "github.com/stoa-project/stoa/apis/core/v1"
	flowcontrolv1 "github.com/stoa-project/stoa/apis/flowcontrol/v1"
	rbacv1 "github.com/stoa-project/stoa/apis/rbac/v1"
)

// newScheme returns a scheme with the types of some groups.
func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, flowcontrolv1.AddToScheme, rbacv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}
