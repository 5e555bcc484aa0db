// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package coordination

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiserverfeatures "k8s.io/apiserver/pkg/features"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/coordination"
	"github.com/stoa-project/stoa/apis/coordination/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/kind"
)

// Leases returns the kind Lease. Nodes and leaders renew theirs by PUT, whether it
// is still there or not.
func Leases() kind.Kind {
	return kind.New(kind.Definition[coordination.Lease]{
		Kind: "Lease", Plural: "leases",
		Spec:           kind.PartOf(func(l *coordination.Lease) *coordinationv1.LeaseSpec { return &l.Spec }),
		NoGeneration:   true, // as in Kubernetes
		CreateOnUpdate: true,
		Strategy: kind.Strategy[coordination.Lease]{
			Prepare: func(_ context.Context, obj, old *coordination.Lease) {
				if features.Enabled(apiserverfeatures.CoordinatedLeaderElection) {
					return
				}
				if old == nil || old.Spec.Strategy == nil {
					obj.Spec.Strategy = nil
				}
				if old == nil || old.Spec.PreferredHolder == nil {
					obj.Spec.PreferredHolder = nil
				}
			},
			Validate: func(_ context.Context, obj *coordination.Lease) field.ErrorList {
				return validation.ValidateLease((*coordinationv1.Lease)(obj))
			},
		},
		Columns: []kind.Column[coordination.Lease]{
			kind.Name[coordination.Lease](),
			{Name: "Holder", Description: coordinationv1.LeaseSpec{}.SwaggerDoc()["holderIdentity"],
				Value: func(l *coordination.Lease) any { return ptr.Deref(l.Spec.HolderIdentity, "") }},
			kind.Age[coordination.Lease](),
		},
	})
}
