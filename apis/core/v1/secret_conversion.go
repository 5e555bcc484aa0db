// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/core"
)

// Convert_v1_Secret_To_core_Secret moves stringData, which users may write but
// which is never stored or shown, into data. It wins over data.
func Convert_v1_Secret_To_core_Secret(in *corev1.Secret, out *core.Secret, s conversion.Scope) error {
	if err := autoConvert_v1_Secret_To_core_Secret(in, out, s); err != nil {
		return err
	}
	if len(in.StringData) == 0 {
		return nil
	}
	out.StringData = nil
	out.Data = maps.Clone(in.Data)
	if out.Data == nil {
		out.Data = make(map[string][]byte, len(in.StringData))
	}
	for key, value := range in.StringData {
		out.Data[key] = []byte(value)
	}
	return nil
}
