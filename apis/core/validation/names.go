// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

func dnsLabel(value string, path *field.Path) field.ErrorList {
	return fielderrors.Each(path, value, validation.IsDNS1123Label(value))
}

func dnsSubdomain(value string, path *field.Path) field.ErrorList {
	return fielderrors.Each(path, value, validation.IsDNS1123Subdomain(value))
}

func qualifiedName(value string, path *field.Path) field.ErrorList {
	return fielderrors.Each(path, value, validation.IsQualifiedName(value))
}
