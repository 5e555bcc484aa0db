// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package auditpolicy has the policy of a file decide which requests are recorded. The
// file is read again when it changes; one with a mistake changes nothing. What a policy
// means, and which mistakes there are, k8s.io/apiserver knows.
package auditpolicy
