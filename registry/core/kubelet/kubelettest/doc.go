// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubelettest is a kubelet for tests: it runs nothing, and answers the
// requests for logs, exec, attach and port-forward in both protocols with what the
// test can recognise.
package kubelettest
