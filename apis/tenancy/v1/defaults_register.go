// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

// The types are registered by zz_generated.register.go, conversions and
// validations by their own generated files. Defaults are the only generated
// functions that do not register themselves.
func init() {
	localSchemeBuilder.Register(RegisterDefaults)
}
