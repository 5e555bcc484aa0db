// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// Convert_v1alpha1_Grant_To_tenancy_Grant fills from the annotation what
// v1alpha1 has no words for.
func Convert_v1alpha1_Grant_To_tenancy_Grant(in *Grant, out *tenancy.Grant, s conversion.Scope) error {
	if err := autoConvert_v1alpha1_Grant_To_tenancy_Grant(in, out, s); err != nil {
		return err
	}
	rest := readRest[grantRest](&out.ObjectMeta)
	if rest.Subject != nil && rest.Subject.Text == in.Spec.Subject {
		out.Spec.Subject = rest.Subject.Subject
	}
	return nil
}

// Convert_tenancy_Grant_To_v1alpha1_Grant puts what v1alpha1 has no words for
// into the annotation.
func Convert_tenancy_Grant_To_v1alpha1_Grant(in *tenancy.Grant, out *Grant, s conversion.Scope) error {
	if err := autoConvert_tenancy_Grant_To_v1alpha1_Grant(in, out, s); err != nil {
		return err
	}
	var rest grantRest
	if inexactSubject(in.Spec.Subject) {
		rest.Subject = &ownerRest{Text: formatSubject(in.Spec.Subject), Subject: in.Spec.Subject}
	}
	return writeRest(&out.ObjectMeta, rest)
}
