// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package coordination

import (
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/stoa-project/stoa/apis/coordination"
	"github.com/stoa-project/stoa/registry/kind"
)

// Leases returns the kind Lease.
func Leases() kind.Kind {
	return kind.New(kind.Definition[coordination.Lease]{
		Kind: "Lease", Plural: "leases",
		Spec:                kind.PartOf(func(l *coordination.Lease) *coordinationv1.LeaseSpec { return &l.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
