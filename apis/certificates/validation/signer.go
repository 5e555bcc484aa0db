// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxSignerName leaves room for <domain>/<namespace>.<name>.
const maxSignerName = validation.DNS1123SubdomainMaxLength + 1 + validation.DNS1123LabelMaxLength + 1 + validation.DNS1123SubdomainMaxLength

// ValidateSignerName judges the name of a signer, which is a domain and a path of
// one segment, as in example.com/my-signer.
func ValidateSignerName(name string, at *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	domain, path, ok := strings.Cut(name, "/")
	if !ok || strings.Contains(path, "/") {
		return field.ErrorList{field.Invalid(at, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")}
	}
	var errs field.ErrorList
	if len(domain) > validation.DNS1123SubdomainMaxLength {
		errs = append(errs, field.TooLong(at, "" /* not printed */, validation.DNS1123SubdomainMaxLength))
	}
	errs = append(errs, validateLabels(domain, validation.IsDNS1123Label, at)...)
	if !strings.Contains(domain, ".") {
		errs = append(errs, field.Invalid(at, domain, "should be a domain with at least two segments separated by dots"))
	}
	errs = append(errs, validateLabels(path, validation.IsDNS1123Subdomain, at)...)
	if len(name) > maxSignerName {
		errs = append(errs, field.TooLong(at, "" /* not printed */, maxSignerName))
	}
	return errs
}

// validateLabels reports the first bad label: messages about more would be the same.
func validateLabels(name string, valid func(string) []string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for label := range strings.SplitSeq(name, ".") {
		for _, msg := range valid(label) {
			errs = append(errs, field.Invalid(at, name, fmt.Sprintf("validating label %q: %s", label, msg)))
		}
		if len(errs) > 0 {
			break
		}
	}
	return errs
}

func isKubernetesSigner(name string) bool {
	domain, _, _ := strings.Cut(name, "/")
	return domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io")
}
