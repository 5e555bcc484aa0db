// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package features names the feature gates of Kubernetes that its libraries do
// not know because only kube-apiserver reads them. Importing it registers them
// with the gates of k8s.io/apiserver, so --feature-gates takes them; names,
// stages and defaults are those of Kubernetes 1.37.
//
// A gate whose feature cannot be switched off any more has no name here. To add
// one, add its constant and its row.
package features
