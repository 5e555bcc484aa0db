// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package podtemplate holds what the kinds that make pods from a template have in
// common where they are served: wide columns, the selector of /scale, and when to warn.
// How templates are judged is in apis/core/validation.
package podtemplate
