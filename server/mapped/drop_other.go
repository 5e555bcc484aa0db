// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package mapped

// Drop does something on Linux only.
func Drop(string) {}
