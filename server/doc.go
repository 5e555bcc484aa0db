// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package server assembles a Kubernetes-style API server: options, certificates,
// embedded or external etcd, the handler chain of k8s.io/apiserver, and the API
// groups of the registry.
//
// The way from settings to a running server:
//
//	NewOptions ─► AddFlags ─► Complete ─► Validate ─► New ─► Run
//	 defaults      flags      derived     no effects   │      └─ serves until ctx ends, then drains and closes
//	                                                   └─ etcd, certificates, listener, stores
//
// A program with API groups of its own appends them to Options.Groups; package
// registry/kind makes them. A test uses package stoatest instead.
//
// Several servers may run in one process. They share nothing of this package;
// what k8s.io keeps in globals (metrics, feature gates) they share.
//
// Start reading at [New].
package server
