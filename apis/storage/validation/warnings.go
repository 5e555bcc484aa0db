// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// WarningsOnStorageClass names labels of nodes that are not to be used any more.
func WarningsOnStorageClass(obj *storagev1.StorageClass) []string {
	var out []string
	for i, term := range obj.AllowedTopologies {
		for j, expr := range term.MatchLabelExpressions {
			if text, old := corevalidation.NodeLabelDeprecation(expr.Key); old {
				path := field.NewPath("allowedTopologies").Index(i).Child("matchLabelExpressions").Index(j).Child("key")
				out = append(out, fmt.Sprintf("%s: %s is %s", path, expr.Key, text))
			}
		}
	}
	return out
}

// WarningsOnCSIStorageCapacity does the same.
func WarningsOnCSIStorageCapacity(obj *storagev1.CSIStorageCapacity) []string {
	if obj.NodeTopology == nil {
		return nil
	}
	var out []string
	path := field.NewPath("nodeTopology")
	for i, expr := range obj.NodeTopology.MatchExpressions {
		if text, old := corevalidation.NodeLabelDeprecation(expr.Key); old {
			out = append(out, fmt.Sprintf("%s: %s is %s", path.Child("matchExpressions").Index(i).Child("key"), expr.Key, text))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(obj.NodeTopology.MatchLabels)) {
		if text, old := corevalidation.NodeLabelDeprecation(key); old {
			out = append(out, fmt.Sprintf("%s: %s", path.Child("matchLabels").Child(key), text))
		}
	}
	return out
}
