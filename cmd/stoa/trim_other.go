// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

// trim is for Linux.
func trim() {}
