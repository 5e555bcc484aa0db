// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"net/url"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
)

// Convert_url_Values_To_v1_PodLogOptions reads the two parameters that
// conversion-gen has no rule for.
func Convert_url_Values_To_v1_PodLogOptions(in *url.Values, out *corev1.PodLogOptions, s conversion.Scope) error {
	if err := autoConvert_url_Values_To_v1_PodLogOptions(in, out, s); err != nil {
		return err
	}
	if values := (*in)["sinceTime"]; len(values) > 0 {
		if err := metav1.Convert_Slice_string_To_Pointer_v1_Time(&values, &out.SinceTime, s); err != nil {
			return err
		}
	}
	if values := (*in)["stream"]; len(values) > 0 {
		out.Stream = &values[0]
	}
	return nil
}
