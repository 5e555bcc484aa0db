// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package validation holds what webhook configurations and admission policies must
// satisfy beyond the tags of their types. It works on the types of k8s.io/api; rules
// and texts are those of kube-apiserver.
//
// Expressions are compiled by the compilers that run them later. What an object had
// before an update is forgiven: see options.
package validation
