// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/registry/kind"
)

// StorageClasses returns the kind StorageClass.
func StorageClasses() kind.Kind {
	return kind.New(kind.Definition[storage.StorageClass]{
		Kind: "StorageClass", Plural: "storageclasses", ShortNames: []string{"sc"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
