// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// each judges the items of a list. Of one that is longer than most the tag of its
// type says so, and its items are not looked at.
func each[T any](items []T, most int, path *field.Path, judge func(*T, *field.Path) field.ErrorList) field.ErrorList {
	if len(items) > most {
		return nil
	}
	var errs field.ErrorList
	for i := range items {
		errs = append(errs, judge(&items[i], path.Index(i))...)
	}
	return errs
}

func validateLabelName(name string, path *field.Path) field.ErrorList {
	return fielderrors.Each(path, name, utilvalidation.IsDNS1123Label(name))
}

func validateSubdomain(name string, path *field.Path) field.ErrorList {
	return fielderrors.Each(path, name, utilvalidation.IsDNS1123Subdomain(name))
}

func validateClassName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return validateSubdomain(name, path)
}

// validateDriverName judges a name in any case, as for CSI drivers.
func validateDriverName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	if len(name) > resourcev1.DriverNameMaxLength {
		errs = append(errs, field.TooLong(path, "" /* not printed */, resourcev1.DriverNameMaxLength))
	}
	return append(errs, fielderrors.Each(path, name, utilvalidation.IsDNS1123Subdomain(strings.ToLower(name)))...)
}

// validatePoolName judges one or more subdomains with slashes between them.
func validatePoolName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	if len(name) > resourcev1.PoolNameMaxLength {
		errs = append(errs, field.TooLong(path, "" /* not printed */, resourcev1.PoolNameMaxLength))
	}
	for part := range strings.SplitSeq(name, "/") {
		errs = append(errs, validateSubdomain(part, path)...)
	}
	return errs
}

// validateQualifiedName judges the name of an attribute or capacity: an identifier,
// or a domain and one.
func validateQualifiedName(name resourcev1.QualifiedName, path *field.Path) field.ErrorList {
	domain, id, qualified := strings.Cut(string(name), "/")
	if !qualified {
		return validateIdentifier(string(name), path)
	}
	if strings.Contains(id, "/") {
		return field.ErrorList{field.Invalid(path, string(name), "must not contain more than one slash")}
	}
	var errs field.ErrorList
	if domain == "" {
		errs = append(errs, field.Invalid(path, "", "the domain must not be empty"))
	} else {
		errs = append(errs, validateDriverName(domain, path)...)
	}
	if id == "" {
		return append(errs, field.Invalid(path, "", "the name must not be empty"))
	}
	return append(errs, validateIdentifier(id, path)...)
}

func validateIdentifier(id string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(id) > resourcev1.DeviceMaxIDLength {
		errs = append(errs, field.TooLong(path, "" /* not printed */, resourcev1.DeviceMaxIDLength))
	}
	return append(errs, fielderrors.Each(path, id, content.IsCIdentifier(id))...)
}

// shorten keeps keys in paths readable: what is too long loses its middle.
func shorten(key string, most int) string {
	most = max(most, 16)
	if len(key) <= most {
		return key
	}
	left := most - len("...")
	return key[:(left+1)/2] + "..." + key[len(key)-left/2:]
}
