// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package envtest is a project that tests its controller with controller-runtime's
// envtest, as any other does: it imports nothing of Stoa. Its tests build the stoa
// binary and put two links to it, kube-apiserver and etcd, into the folder that
// KUBEBUILDER_ASSETS would name.
package envtest
