// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the programs that are built from this repository from outside:
// they are started as processes, spoken to by kubectl and client-go, and killed.
//
// What can be seen from inside the process is tested in test/integration, which is
// much faster.
package e2e
