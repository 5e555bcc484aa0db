// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/registry/kind"
)

// CSINodes returns the kind CSINode.
func CSINodes() kind.Kind {
	return kind.New(kind.Definition[storage.CSINode]{
		Kind: "CSINode", Plural: "csinodes",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(c *storage.CSINode) *storagev1.CSINodeSpec { return &c.Spec }),
		Status:              kind.PartOf(func(c *storage.CSINode) *storagev1.CSINodeStatus { return &c.Status }),
		StatusMetadata:      true, // as in Kubernetes, here and in the next
		UnconditionalUpdate: true,
	})
}
