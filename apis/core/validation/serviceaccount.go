// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// mountableSecrets is the annotation that once restricted which secrets pods could
// mount.
const mountableSecrets = "kubernetes.io/enforce-mountable-secrets" //nolint:gosec // an annotation

// WarningsOnServiceAccount says that an annotation has a better replacement, to
// those who add it; old is nil on create.
func WarningsOnServiceAccount(obj, old *corev1.ServiceAccount) []string {
	if old != nil {
		if _, had := old.Annotations[mountableSecrets]; had {
			return nil
		}
	}
	if _, has := obj.Annotations[mountableSecrets]; !has {
		return nil
	}
	return []string{"metadata.annotations[" + mountableSecrets + "]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"}
}

// ValidateTokenRequest judges how long a token is asked for.
func ValidateTokenRequest(obj *authenticationv1.TokenRequest) field.ErrorList {
	path, seconds := field.NewPath("spec", "expirationSeconds"), *obj.Spec.ExpirationSeconds
	switch {
	case seconds < 10*60:
		return field.ErrorList{field.Invalid(path, seconds, "may not specify a duration less than 10 minutes")}
	case seconds > 1<<32:
		return field.ErrorList{field.Invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")}
	}
	return nil
}
