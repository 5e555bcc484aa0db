// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"testing"

	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/tenancy"
	"github.com/stoa-project/stoa/server"
)

// TestBootstrapTokensWithoutSecrets would have none to look at.
func TestBootstrapTokensWithoutSecrets(t *testing.T) {
	t.Parallel()
	options := server.NewOptions()
	options.DataDir, options.Serving.BindPort = t.TempDir(), 0
	options.Groups, options.Authentication.BootstrapTokens = []kind.Group{tenancy.Group()}, true
	completed, err := options.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), completed)
	if s != nil || err == nil || err.Error() != "--enable-bootstrap-token-auth: secrets are not served" {
		t.Errorf("error %v", err)
	}
}
