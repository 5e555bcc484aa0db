// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation judges the objects of the group storage.k8s.io by the rules that
// no tag of the served types can say. Start at the functions Validate<Kind>.
package validation
