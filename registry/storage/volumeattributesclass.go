// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"github.com/stoa-project/stoa/apis/storage"
	"github.com/stoa-project/stoa/registry/kind"
)

// VolumeAttributesClasses returns the kind VolumeAttributesClass.
func VolumeAttributesClasses() kind.Kind {
	return kind.New(kind.Definition[storage.VolumeAttributesClass]{
		Kind: "VolumeAttributesClass", Plural: "volumeattributesclasses", ShortNames: []string{"vac"},
		ClusterScoped:       true,
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
