// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

func validateSecretVolume(s *corev1.SecretVolumeSource, path *field.Path) field.ErrorList {
	return validateKeysVolume("secretName", s.SecretName, s.DefaultMode, s.Items, path)
}

func validateConfigMapVolume(s *corev1.ConfigMapVolumeSource, path *field.Path) field.ErrorList {
	return validateKeysVolume("name", s.Name, s.DefaultMode, s.Items, path)
}

func validateKeysVolume(nameField, name string, mode *int32, items []corev1.KeyToPath, path *field.Path) field.ErrorList {
	errs := requireFields(path, nameField, name)
	errs = append(errs, validateFileMode(mode, path.Child("defaultMode"))...)
	for i := range items {
		errs = append(errs, validateKeyToPath(&items[i], path.Child("items").Index(i))...)
	}
	return errs
}

func validateKeyToPath(item *corev1.KeyToPath, path *field.Path) field.ErrorList {
	errs := requireFields(path, "key", item.Key, "path", item.Path)
	errs = append(errs, validateLocalFile(item.Path, path.Child("path"))...)
	return append(errs, validateFileMode(item.Mode, path.Child("mode"))...)
}

func validateDownwardAPIVolume(s *corev1.DownwardAPIVolumeSource, path *field.Path) field.ErrorList {
	errs := validateFileMode(s.DefaultMode, path.Child("defaultMode"))
	for i := range s.Items {
		errs = append(errs, validateDownwardAPIFile(&s.Items[i], path)...)
	}
	return errs
}

// validateDownwardAPIFile judges one file; path is that of the volume, without an index.
func validateDownwardAPIFile(file *corev1.DownwardAPIVolumeFile, path *field.Path) field.ErrorList {
	errs := requireFields(path, "path", file.Path)
	errs = append(errs, validateLocalFile(file.Path, path.Child("path"))...)
	switch {
	case file.FieldRef != nil:
		errs = append(errs, validateFieldRef(file.FieldRef, path.Child("fieldRef"),
			"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")...)
		if file.ResourceFieldRef != nil {
			errs = append(errs, field.Invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
		}
	case file.ResourceFieldRef != nil:
		ref, refPath := file.ResourceFieldRef, path.Child("resourceFieldRef")
		if ref.ContainerName == "" {
			errs = append(errs, field.Required(refPath.Child("containerName"), ""))
			errs = append(errs, validateDivisor(ref, refPath)...)
		} else {
			errs = append(errs, validateResourceFieldRef(ref, refPath)...)
		}
	default:
		errs = append(errs, field.Required(path, "one of fieldRef and resourceFieldRef is required"))
	}
	return append(errs, validateFileMode(file.Mode, path.Child("mode"))...)
}

// projection judges the sources of a projected volume, whose files must not hide
// each other.
type projection struct {
	path  *field.Path
	opts  PodOptions
	paths sets.Set[string]
}

func validateProjected(s *corev1.ProjectedVolumeSource, path *field.Path, opts PodOptions) field.ErrorList {
	errs := validateFileMode(s.DefaultMode, path.Child("defaultMode"))
	p := projection{path, opts, sets.New[string]()}
	for i := range s.Sources {
		errs = append(errs, p.validateSource(&s.Sources[i], path.Child("sources").Index(i))...)
	}
	return errs
}

func (p projection) validateSource(s *corev1.VolumeProjection, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	count := 0
	if s.Secret != nil {
		count++
		errs = append(errs, p.validateKeys(s.Secret.Name, s.Secret.Items, path.Child("secret"))...)
	}
	if s.ConfigMap != nil {
		count++
		errs = append(errs, p.validateKeys(s.ConfigMap.Name, s.ConfigMap.Items, path.Child("configMap"))...)
	}
	if s.DownwardAPI != nil {
		count++
		for i := range s.DownwardAPI.Items {
			file := &s.DownwardAPI.Items[i]
			errs = append(errs, validateDownwardAPIFile(file, path.Child("downwardAPI"))...)
			if file.Path != "" {
				errs = append(errs, p.add(file.Path, file.Path)...)
			}
		}
	}
	if s.ServiceAccountToken != nil {
		count++
		errs = append(errs, p.validateToken(s.ServiceAccountToken, path.Child("serviceAccountToken"))...)
	}
	if s.ClusterTrustBundle != nil {
		count++
		errs = append(errs, validateTrustBundle(s.ClusterTrustBundle, path.Child("clusterTrustBundle"))...)
		errs = append(errs, p.add(s.ClusterTrustBundle.Path, s.ClusterTrustBundle.Path)...)
	}
	if s.PodCertificate != nil {
		count++
		errs = append(errs, p.validateCertificate(s.PodCertificate, path.Child("podCertificate"))...)
	}
	if count > 1 {
		errs = append(errs, field.Forbidden(path, "may not specify more than 1 volume type per source"))
	}
	return errs
}

// add takes a path; value is what an error shows if it is taken already.
func (p projection) add(file, value string) field.ErrorList {
	if p.paths.Has(file) {
		return field.ErrorList{field.Invalid(p.path, value, "conflicting duplicate paths")}
	}
	p.paths.Insert(file)
	return nil
}

func (p projection) validateKeys(name string, items []corev1.KeyToPath, path *field.Path) field.ErrorList {
	errs := requireFields(path, "name", name)
	for i := range items {
		errs = append(errs, validateKeyToPath(&items[i], path.Child("items").Index(i))...)
		if items[i].Path != "" {
			errs = append(errs, p.add(items[i].Path, name)...)
		}
	}
	return errs
}

func (p projection) validateToken(s *corev1.ServiceAccountTokenProjection, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if seconds := s.ExpirationSeconds; seconds != nil {
		if *seconds < 10*60 {
			errs = append(errs, field.Invalid(path.Child("expirationSeconds"), *seconds, "may not specify a duration less than 10 minutes"))
		}
		if *seconds > 1<<32 {
			errs = append(errs, field.Invalid(path.Child("expirationSeconds"), *seconds, "may not specify a duration larger than 2^32 seconds"))
		}
	}
	// Upstream reports the path at the volume.
	if s.Path == "" {
		return append(errs, field.Required(p.path.Child("path"), ""))
	}
	if p.opts.AllowNonLocalProjectedTokenPath {
		return errs
	}
	return append(errs, validateLocalFile(s.Path, p.path.Child("path"))...)
}

func validateTrustBundle(s *corev1.ClusterTrustBundleProjection, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case s.Name != nil && s.SignerName != nil:
		errs = append(errs, field.Invalid(path, s, "only one of name and signerName may be used"))
	case s.Name != nil:
		if *s.Name == "" {
			errs = append(errs, field.Required(path.Child("name"), "must be a valid object name"))
		}
		signer := ""
		if i := strings.LastIndex(*s.Name, ":"); i >= 0 {
			signer = strings.ReplaceAll((*s.Name)[:i], ":", "/")
		}
		for _, msg := range ClusterTrustBundleName(signer)(*s.Name, false) {
			errs = append(errs, field.Invalid(path.Child("name"), *s.Name, "not a valid clustertrustbundlename: "+msg))
		}
		if s.LabelSelector != nil {
			errs = append(errs, field.Invalid(path.Child("labelSelector"), s.LabelSelector, "labelSelector must be unset if name is specified"))
		}
	case s.SignerName != nil:
		if *s.SignerName == "" {
			errs = append(errs, field.Required(path.Child("signerName"), "must be a valid signer name"))
		}
		errs = append(errs, ValidateSignerName(*s.SignerName, path.Child("signerName"))...)
		errs = append(errs, metav1validation.ValidateLabelSelector(s.LabelSelector,
			metav1validation.LabelSelectorValidationOptions{}, path.Child("labelSelector"))...)
	default:
		errs = append(errs, field.Required(path, "either name or signerName must be specified"))
	}
	errs = append(errs, requireFields(path, "path", s.Path)...)
	return append(errs, validateLocalFile(s.Path, path.Child("path"))...)
}

// validateCertificate judges a key and certificate that the node asks a signer for.
func (p projection) validateCertificate(s *corev1.PodCertificateProjection, path *field.Path) field.ErrorList {
	errs := ValidateSignerName(s.SignerName, path.Child("signerName"))
	errs = append(errs, fielderrors.OneOf(path.Child("keyType"), s.KeyType, "RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")...)
	if seconds := s.MaxExpirationSeconds; seconds != nil {
		if *seconds < 3600 {
			errs = append(errs, field.Invalid(path.Child("maxExpirationSeconds"), *seconds, "if provided, maxExpirationSeconds must be >= 3600"))
		}
		if *seconds > 91*24*60*60 {
			errs = append(errs, field.Invalid(path.Child("maxExpirationSeconds"), *seconds, "if provided, maxExpirationSeconds must be <= 7862400"))
		}
	}
	count := 0
	for _, file := range []struct{ name, path string }{
		{"credentialBundlePath", s.CredentialBundlePath}, {"keyPath", s.KeyPath}, {"certificateChainPath", s.CertificateChainPath},
	} {
		if file.path == "" {
			continue
		}
		count++
		errs = append(errs, validateLocalFile(file.path, path.Child(file.name))...)
		errs = append(errs, p.add(file.path, file.path)...)
	}
	if count == 0 {
		errs = append(errs, field.Required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"))
	}
	return append(errs, ValidateUserAnnotations(s.UserAnnotations, path.Child("userAnnotations"))...)
}

// ValidateUserAnnotations judges what a user tells the signer of a certificate: it wants
// what annotations are, with a domain in each key.
func ValidateUserAnnotations(annotations map[string]string, path *field.Path) field.ErrorList {
	errs := apivalidation.ValidateAnnotations(annotations, path)
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		errs = append(errs, validation.IsDomainPrefixedKey(path.Key(key), key)...)
	}
	return errs
}
