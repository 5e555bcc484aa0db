// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericfeatures "k8s.io/apiserver/pkg/features"

	"github.com/stoa-project/stoa/apis/admissionregistration/validation"
	"github.com/stoa-project/stoa/features"
)

// notStatic refuses the names of webhooks and policies that are kept in files.
func notStatic(name string) field.ErrorList {
	if !features.Enabled(genericfeatures.ManifestBasedAdmissionControlConfig) {
		return nil
	}
	return validation.ValidateNotStatic(name)
}

// warnOfStatic warns of such a name where it is not refused.
func warnOfStatic(name string, created bool) []string {
	if created && features.Enabled(genericfeatures.ManifestBasedAdmissionControlConfig) {
		return nil
	}
	return validation.WarningsOnStatic(name)
}
