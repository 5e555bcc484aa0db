// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package autoscaling

import autoscalingv1 "k8s.io/api/autoscaling/v1"

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Scale is the hub of autoscalingv1.Scale.
type Scale autoscalingv1.Scale
