// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"crypto/tls"
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// redacted stands in errors for what a secret holds.
const redacted = "<secret contents redacted>"

// ValidateSecret judges a new secret. Its stringData is part of data by now.
func ValidateSecret(obj *corev1.Secret) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("data")
	total := 0
	for _, key := range slices.Sorted(maps.Keys(obj.Data)) {
		errs = append(errs, validateDataKey(key, path.Key(key))...)
		total += len(obj.Data[key])
	}
	if total > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(path, "" /* not printed */, corev1.MaxSecretSize))
	}
	return append(errs, validateSecretType(obj, path)...)
}

// validateSecretType demands the keys that each of the known types needs.
func validateSecretType(obj *corev1.Secret, path *field.Path) field.ErrorList {
	switch obj.Type {
	case corev1.SecretTypeServiceAccountToken:
		// The token itself is added later by a controller.
		if obj.Annotations[corev1.ServiceAccountNameKey] == "" {
			annotations := field.NewPath("metadata", "annotations")
			return field.ErrorList{field.Required(annotations.Key(corev1.ServiceAccountNameKey), "")}
		}
		return nil
	case corev1.SecretTypeDockercfg:
		return validateJSONKey(obj, corev1.DockerConfigKey, path)
	case corev1.SecretTypeDockerConfigJson:
		return validateJSONKey(obj, corev1.DockerConfigJsonKey, path)
	case corev1.SecretTypeBasicAuth:
		// One of the two is enough, and it may be empty.
		if errs := requireKeys(obj, path, corev1.BasicAuthUsernameKey, corev1.BasicAuthPasswordKey); len(errs) == 2 {
			return errs
		}
		return nil
	case corev1.SecretTypeSSHAuth:
		if len(obj.Data[corev1.SSHAuthPrivateKey]) == 0 {
			return field.ErrorList{field.Required(path.Key(corev1.SSHAuthPrivateKey), "")}
		}
		return nil
	case corev1.SecretTypeTLS:
		return requireKeys(obj, path, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	default:
		return nil
	}
}

func requireKeys(obj *corev1.Secret, path *field.Path, keys ...string) field.ErrorList {
	var errs field.ErrorList
	for _, key := range keys {
		if _, ok := obj.Data[key]; !ok {
			errs = append(errs, field.Required(path.Key(key), ""))
		}
	}
	return errs
}

func validateJSONKey(obj *corev1.Secret, key string, path *field.Path) field.ErrorList {
	if errs := requireKeys(obj, path, key); len(errs) > 0 {
		return errs
	}
	if err := json.Unmarshal(obj.Data[key], &map[string]any{}); err != nil {
		return field.ErrorList{field.Invalid(path.Key(key), redacted, err.Error())}
	}
	return nil
}

// ValidateSecretUpdate judges a changed secret.
func ValidateSecretUpdate(obj, old *corev1.Secret) field.ErrorList {
	// The tag of the served type says so too, but in a form that is not enforced.
	errs := apivalidation.ValidateImmutableField(obj.Type, old.Type, field.NewPath("type")).WithOrigin("immutable").MarkCoveredByDeclarative().MarkAlpha()
	if ptr.Deref(old.Immutable, false) {
		if !ptr.Deref(obj.Immutable, false) {
			errs = append(errs, field.Forbidden(field.NewPath("immutable"), immutableWhenSet))
		}
		if !apiequality.Semantic.DeepEqual(obj.Data, old.Data) {
			errs = append(errs, field.Forbidden(field.NewPath("data"), immutableWhenSet))
		}
	}
	return append(errs, ValidateSecret(obj)...)
}

// WarningsOnSecret says when the key of a TLS secret does not fit its
// certificate, which is no error.
func WarningsOnSecret(obj *corev1.Secret) []string {
	if obj.Type != corev1.SecretTypeTLS {
		return nil
	}
	if _, err := tls.X509KeyPair(obj.Data[corev1.TLSCertKey], obj.Data[corev1.TLSPrivateKeyKey]); err != nil {
		return []string{err.Error()}
	}
	return nil
}
