// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tolerationrestriction

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core/validation"
)

// configuration is that of podtolerationrestriction.admission.k8s.io/v1alpha1, for
// namespaces without annotations.
type configuration struct {
	metav1.TypeMeta `json:",inline"`

	Default   []corev1.Toleration `json:"default,omitempty"`
	Whitelist []corev1.Toleration `json:"whitelist,omitempty"`
}

func (c *configuration) validate() error {
	path := field.NewPath("podtolerationrestriction")
	errs := validation.ValidateTolerations(c.Default, path.Child("default"))
	errs = append(errs, validation.ValidateTolerations(c.Whitelist, path.Child("whitelist"))...)
	if len(errs) > 0 {
		return fmt.Errorf("invalid config: %v", errs)
	}
	return nil
}
