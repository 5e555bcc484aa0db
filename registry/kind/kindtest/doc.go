// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package kindtest checks that a served kind keeps the contract of package kind
// and the conventions of the Kubernetes API, through the API alone.
//
// Every kind's test calls [Run] once, with a valid object, invalid ones and a
// change. What is special to a kind has its own tests beside that call.
package kindtest
