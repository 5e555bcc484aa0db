// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what autoscalers must satisfy beyond the tags of their
// types. It works on the types of k8s.io/api/autoscaling/v2, whose shape the hub
// has; rules and texts are those of kube-apiserver.
package validation
