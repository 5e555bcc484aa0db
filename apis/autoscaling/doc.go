// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/autoscaling/v1:Scale
// +stoa:hub=k8s.io/api/autoscaling/v2

// Package autoscaling holds the hub types of the group autoscaling: see package
// core for what a hub type is. That of an autoscaler has the shape of version 2,
// which is stored. Scale is not stored; it is the shape of /scale of every kind
// that has one.
package autoscaling
