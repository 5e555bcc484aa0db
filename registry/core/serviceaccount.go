// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// ServiceAccounts returns the kind ServiceAccount.
func ServiceAccounts() kind.Kind {
	return kind.New(kind.Definition[core.ServiceAccount]{
		Kind: "ServiceAccount", Plural: "serviceaccounts", ShortNames: []string{"sa"},
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
