// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +stoa:hub=k8s.io/api/autoscaling/v1:Scale

// Package autoscaling holds the hub types of the group autoscaling: see package
// core for what a hub type is. Scale is not stored; it is the shape of /scale of
// every kind that has one.
package autoscaling
