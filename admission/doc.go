// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package admission holds, in a package each, the admission plugins of Kubernetes
// that its libraries do not have. They see a write before it is validated and
// stored; names, order, messages and flags are those of kube-apiserver.
//
// A plugin package has PluginName, Register, and an unexported type that
// implements admission.MutationInterface or ValidationInterface. It works on hub
// types. server/options_admission.go lists the plugins in their order, with the
// resources without which a plugin is off.
package admission
