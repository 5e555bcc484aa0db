// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
)

// Convert_v1_TypeMeta_To_v1_TypeMeta leaves out apiVersion and kind: an object
// of the hub has none. conversion-gen reads the tag; without it, types of equal
// shape are copied whole, a hub object claims to be of the version it came
// from, and server-side apply takes that for a change.
//
// +k8s:conversion-fn=drop
func Convert_v1_TypeMeta_To_v1_TypeMeta(_, _ *metav1.TypeMeta, _ conversion.Scope) error {
	return nil
}
