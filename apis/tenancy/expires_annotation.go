// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ExpiresAtAnnotation is the annotation of a role binding that says when it is over,
// as RFC 3339 writes it. The authorizer ignores the binding from then on.
const ExpiresAtAnnotation = GroupName + "/expires-at"

// EndOfBinding returns when a binding says that it is over; zero: it does not. One that
// says it in a way that nobody understands is over.
func EndOfBinding(binding metav1.Object) time.Time {
	text, said := binding.GetAnnotations()[ExpiresAtAnnotation]
	if !said {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Unix(0, 0)
	}
	return at
}
