// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package fielderrors makes the errors that the validation of all groups says in the
// same way. What is particular to a kind is in the package validation of its group.
package fielderrors
