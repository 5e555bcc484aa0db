// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v2

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/autoscaling"
)

// Convert_v2_HorizontalPodAutoscaler_To_autoscaling_HorizontalPodAutoscaler drops
// the annotations of version 1, which a client may have copied.
func Convert_v2_HorizontalPodAutoscaler_To_autoscaling_HorizontalPodAutoscaler(in *autoscalingv2.HorizontalPodAutoscaler, out *autoscaling.HorizontalPodAutoscaler, s conversion.Scope) error {
	if err := autoConvert_v2_HorizontalPodAutoscaler_To_autoscaling_HorizontalPodAutoscaler(in, out, s); err != nil {
		return err
	}
	out.Annotations = autoscaling.WithoutConverted(out.Annotations)
	return nil
}

// Convert_autoscaling_HorizontalPodAutoscaler_To_v2_HorizontalPodAutoscaler drops
// them too: they may have been stored.
func Convert_autoscaling_HorizontalPodAutoscaler_To_v2_HorizontalPodAutoscaler(in *autoscaling.HorizontalPodAutoscaler, out *autoscalingv2.HorizontalPodAutoscaler, s conversion.Scope) error {
	if err := autoConvert_autoscaling_HorizontalPodAutoscaler_To_v2_HorizontalPodAutoscaler(in, out, s); err != nil {
		return err
	}
	out.Annotations = autoscaling.WithoutConverted(out.Annotations)
	return nil
}
