// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package abac decides by the lines of a policy file, as the mode ABAC of
// kube-apiserver does. A line is a JSON object, a Policy of
// abac.authorization.kubernetes.io/v1beta1 or one of the form that had no version:
//
//	{"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": {"user": "alice", "namespace": "*", "resource": "*", "apiGroup": "*"}}
//	{"user": "bob", "resource": "pods", "readonly": true}
//
// Empty lines and those that begin with # are left out. Unlike kube-apiserver, a line
// with an unknown field is an error: a misspelt "readonly" would allow writing.
package abac
