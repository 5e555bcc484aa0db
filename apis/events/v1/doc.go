// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1 serves the types of k8s.io/api/events/v1, by conversions to the hub
// of the core group.
package v1
