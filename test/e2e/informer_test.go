// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// The example sees everything, also what happened around a restart of the server.
func TestInformerExample(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	s.kubectl(t, "apply", "-f", "examples/tenant.yaml")
	informer := launch(t, nil, "informer", "--kubeconfig="+s.kubeconfig)
	printed := func(want string) {
		t.Helper()
		eventually(t, "the informer prints "+want, func() error {
			if got := informer.stdout.String(); !strings.Contains(got, want+"\n") {
				return fmt.Errorf("it prints %q", got)
			}
			return nil
		})
	}
	printed("added blue (Team Blue), tenants: 1")
	printed("watching")

	s.kill(t)
	s = s.restart(t)
	s.kubectl(t, "patch", "tenant", "blue", "--type=merge", "-p", `{"spec":{"displayName":"Navy"}}`)
	printed("changed blue (Navy), tenants: 1")

	s.stop(t)
	s = s.restart(t)
	s.kubectl(t, "apply", "-f", "examples/tenant-v1alpha1.yaml")
	printed("added green (Team Green), tenants: 2")
	s.kubectl(t, "delete", "tenant", "blue")
	printed("deleted blue (Navy), tenants: 1")
	s.kubectl(t, "delete", "tenant", "green")
	printed("deleted green (Team Green), tenants: 0")
	informer.stop(t)
	if got := strings.Count(informer.stdout.String(), "added "); got != 2 {
		t.Errorf("the informer reported %d additions, want 2:\n%s", got, informer.stdout.String())
	}
}
