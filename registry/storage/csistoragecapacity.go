// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/registry/kind"
)

// CSIStorageCapacities returns the kind CSIStorageCapacity.
func CSIStorageCapacities() kind.Kind {
	return kind.New(kind.Definition[storage.CSIStorageCapacity]{
		Kind: "CSIStorageCapacity", Plural: "csistoragecapacities",
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
