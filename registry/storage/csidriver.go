// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	storagev1 "k8s.io/api/storage/v1"

	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/registry/kind"
)

// CSIDrivers returns the kind CSIDriver.
func CSIDrivers() kind.Kind {
	return kind.New(kind.Definition[storage.CSIDriver]{
		Kind: "CSIDriver", Plural: "csidrivers",
		ClusterScoped:       true,
		Spec:                kind.PartOf(func(c *storage.CSIDriver) *storagev1.CSIDriverSpec { return &c.Spec }),
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
