// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package install registers every version of the group autoscaling in a scheme.
package install

import (
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/stoa-project/stoa/apis/autoscaling"
	autoscalingv1 "github.com/stoa-project/stoa/apis/autoscaling/v1"
)

// Install registers the hub and v1. It panics if the scheme holds other types
// under these names.
func Install(scheme *runtime.Scheme) {
	utilruntime.Must(autoscaling.AddToScheme(scheme))
	utilruntime.Must(autoscalingv1.AddToScheme(scheme))
	utilruntime.Must(scheme.SetVersionPriority(autoscalingv1.SchemeGroupVersion))
}
