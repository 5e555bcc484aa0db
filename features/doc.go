// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package features names the feature gates of Kubernetes that its libraries do
// not know because only kube-apiserver reads them. Importing it registers them
// with the gates of k8s.io/apiserver, so --feature-gates takes them, and those of
// client-go and of logging beside them; names, stages and defaults are those of
// Kubernetes 1.37.
//
// The table has every gate. One that code asks for has a constant too; the
// behaviour of a locked gate needs no question.
package features
