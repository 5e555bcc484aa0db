// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package eventlimit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// limitType says which events count together.
type limitType string

const (
	perServer          limitType = "Server"
	perNamespace       limitType = "Namespace"
	perUser            limitType = "User"
	perSourceAndObject limitType = "SourceAndObject"
)

// configuration is that of eventratelimit.admission.k8s.io/v1alpha1.
type configuration struct {
	metav1.TypeMeta `json:",inline"`

	Limits []limit `json:"limits"`
}

// limit is how many events of a type may come.
type limit struct {
	Type limitType `json:"type"`
	// QPS are the events in a second, Burst those at once.
	QPS   int32 `json:"qps"`
	Burst int32 `json:"burst"`
	// CacheSize is how many namespaces, users or sources are remembered; 0 is 4096.
	CacheSize int32 `json:"cacheSize,omitempty"`
}

func (c *configuration) validate() field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("limits")
	if len(c.Limits) == 0 {
		errs = append(errs, field.Invalid(path, c.Limits, "must not be empty"))
	}
	for i, l := range c.Limits {
		path := path.Index(i)
		switch l.Type {
		case perServer, perNamespace, perUser, perSourceAndObject:
		default:
			errs = append(errs, field.NotSupported(path.Child("type"), l.Type, []limitType{perNamespace, perServer, perSourceAndObject, perUser}))
		}
		if l.Burst <= 0 {
			errs = append(errs, field.Invalid(path.Child("burst"), l.Burst, "must be positive"))
		}
		if l.QPS <= 0 {
			errs = append(errs, field.Invalid(path.Child("qps"), l.QPS, "must be positive"))
		}
		if l.Type != perServer && l.CacheSize < 0 {
			errs = append(errs, field.Invalid(path.Child("cacheSize"), l.CacheSize, "must not be negative"))
		}
	}
	return errs
}
