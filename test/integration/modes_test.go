// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/stoatest"
)

// TestModes starts servers that decide in other ways than the shared one.
func TestModes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy")
	const line = `{"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": {"user": "ann", "readonly": true, "apiGroup": "*", "resource": "*", "namespace": "default"}}`
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	policy := "--authorization-policy-file=" + file
	for name, test := range map[string]struct {
		flags       []string
		reads, asks bool // config maps; for the own rights
	}{
		"a policy":           {[]string{"--authorization-mode=ABAC", policy}, true, false},
		"a policy and roles": {[]string{"--authorization-mode=ABAC,RBAC", policy}, true, true},
		"roles":              {[]string{"--authorization-mode=RBAC"}, false, true},
		"everything":         {[]string{"--authorization-mode=AlwaysAllow"}, true, true},
		"nothing":            {[]string{"--authorization-mode=AlwaysDeny"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stoatest.Start(t, stoatest.WithFlags(test.flags...))
			ann := impersonate(t, server, "ann")
			_, err := ann.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
			if test.reads != (err == nil) || err != nil && !apierrors.IsForbidden(err) {
				t.Errorf("list: %v", err)
			}
			_, err = ann.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}},
			}, metav1.CreateOptions{})
			if test.asks != (err == nil) {
				t.Errorf("ask for own rights: %v", err)
			}
			if _, err := defaultConfigMaps(t, server).List(t.Context(), metav1.ListOptions{}); err != nil {
				t.Errorf("the administrator: %v", err)
			}
		})
	}
}
