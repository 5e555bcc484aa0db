// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	"k8s.io/apiserver/pkg/util/shufflesharding"
)

const maxQueues = 10_000_000

// ValidatePriorityLevelConfiguration judges a priority level, new or changed. Those
// that the server cannot do without may not differ from what the library has, but
// for what the exempt one reserves.
func ValidatePriorityLevelConfiguration(obj *flowcontrolv1.PriorityLevelConfiguration) field.ErrorList {
	spec := field.NewPath("spec")
	errs := validateLevelSpec(obj.Name, &obj.Spec, spec)
	for _, fixed := range bootstrap.MandatoryPriorityLevelConfigurations {
		if fixed.Name != obj.Name {
			continue
		}
		have, except := obj.Spec, ""
		if obj.Name == flowcontrolv1.PriorityLevelConfigurationNameExempt {
			have.Exempt, except = fixed.Spec.Exempt, " except the 'spec.exempt' field"
		}
		if !apiequality.Semantic.DeepEqual(have, fixed.Spec) {
			errs = append(errs, field.Invalid(spec, obj.Spec, fmt.Sprintf("spec of '%s'%s must equal the fixed value", obj.Name, except)))
		}
	}
	return append(errs, ValidatePriorityLevelConfigurationStatus(obj)...)
}

// ValidatePriorityLevelConfigurationStatus judges a changed status.
func ValidatePriorityLevelConfigurationStatus(obj *flowcontrolv1.PriorityLevelConfiguration) field.ErrorList {
	return validateConditionTypes(obj.Status.Conditions, func(c flowcontrolv1.PriorityLevelConfigurationCondition) string { return string(c.Type) })
}

func validateLevelSpec(name string, spec *flowcontrolv1.PriorityLevelConfigurationSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if (name == flowcontrolv1.PriorityLevelConfigurationNameExempt) != (spec.Type == flowcontrolv1.PriorityLevelEnablementExempt) {
		errs = append(errs, field.Invalid(at.Child("type"), spec.Type, "type must be 'Exempt' if and only if name is 'exempt'"))
	}
	if spec.Limited != nil && spec.Type != flowcontrolv1.PriorityLevelEnablementLimited {
		errs = append(errs, field.Forbidden(at.Child("limited"), "must be nil if the type is not Limited").MarkCoveredByDeclarative())
	}
	if spec.Exempt != nil && spec.Type != flowcontrolv1.PriorityLevelEnablementExempt {
		errs = append(errs, field.Forbidden(at.Child("exempt"), "must be nil if the type is not Exempt").MarkCoveredByDeclarative())
	}
	switch {
	case spec.Type == flowcontrolv1.PriorityLevelEnablementExempt && spec.Exempt != nil:
		errs = append(errs, validateShares(spec.Exempt.NominalConcurrencyShares, spec.Exempt.LendablePercent, at.Child("exempt"))...)
	case spec.Type == flowcontrolv1.PriorityLevelEnablementExempt:
	case spec.Type == flowcontrolv1.PriorityLevelEnablementLimited && spec.Limited != nil:
		errs = append(errs, validateLimited(spec.Limited, at.Child("limited"))...)
	case spec.Type == flowcontrolv1.PriorityLevelEnablementLimited:
		errs = append(errs, field.Required(at.Child("limited"), "must not be empty when type is Limited").MarkCoveredByDeclarative())
	default:
		errs = append(errs, validateType(spec.Type, at.Child("type"), flowcontrolv1.PriorityLevelEnablementExempt, flowcontrolv1.PriorityLevelEnablementLimited)...)
	}
	return errs
}

// validateType refuses a type that is none of the values.
func validateType[T ~string](value T, at *field.Path, values ...T) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(at, "").MarkCoveredByDeclarative()}
	}
	return field.ErrorList{field.NotSupported(at, value, values)}
}

func validateShares(shares, lendable *int32, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if shares != nil && *shares < 0 {
		errs = append(errs, field.Invalid(at.Child("nominalConcurrencyShares"), *shares, "must be a non-negative integer"))
	}
	if lendable != nil && (*lendable < 0 || *lendable > 100) {
		errs = append(errs, field.Invalid(at.Child("lendablePercent"), *lendable, "must be between 0 and 100, inclusive"))
	}
	return errs
}

func validateLimited(limited *flowcontrolv1.LimitedPriorityLevelConfiguration, at *field.Path) field.ErrorList {
	errs := validateShares(limited.NominalConcurrencyShares, limited.LendablePercent, at)
	if limit := limited.BorrowingLimitPercent; limit != nil && *limit < 0 {
		errs = append(errs, field.Invalid(at.Child("borrowingLimitPercent"), *limit, "if specified, must be a non-negative integer"))
	}
	at = at.Child("limitResponse")
	response := limited.LimitResponse
	if response.Queuing != nil && response.Type != flowcontrolv1.LimitResponseTypeQueue {
		errs = append(errs, field.Forbidden(at.Child("queuing"), "must be nil if limited.limitResponse.type is not Limited").MarkCoveredByDeclarative())
	}
	switch {
	case response.Type == flowcontrolv1.LimitResponseTypeReject:
	case response.Type == flowcontrolv1.LimitResponseTypeQueue && response.Queuing != nil:
		errs = append(errs, validateQueuing(response.Queuing, at.Child("queuing"))...)
	case response.Type == flowcontrolv1.LimitResponseTypeQueue:
		errs = append(errs, field.Required(at.Child("queuing"), "must not be empty if limited.limitResponse.type is Limited").MarkCoveredByDeclarative())
	default:
		errs = append(errs, validateType(response.Type, at.Child("type"), flowcontrolv1.LimitResponseTypeQueue, flowcontrolv1.LimitResponseTypeReject)...)
	}
	return errs
}

func validateQueuing(q *flowcontrolv1.QueuingConfiguration, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if q.QueueLengthLimit <= 0 {
		errs = append(errs, field.Invalid(at.Child("queueLengthLimit"), q.QueueLengthLimit, "must be positive"))
	}
	if q.Queues <= 0 {
		errs = append(errs, field.Invalid(at.Child("queues"), q.Queues, "must be positive"))
	} else if q.Queues > maxQueues {
		errs = append(errs, field.Invalid(at.Child("queues"), q.Queues, fmt.Sprintf("must not be greater than %d", maxQueues)))
	}
	return append(errs, validateHand(q, at.Child("handSize"))...)
}

// validateHand demands that one hash is enough to deal a hand of queues.
func validateHand(q *flowcontrolv1.QueuingConfiguration, at *field.Path) field.ErrorList {
	var msg string
	switch {
	case q.HandSize <= 0:
		msg = "must be positive"
	case q.HandSize > q.Queues:
		msg = fmt.Sprintf("should not be greater than queues (%d)", q.Queues)
	case shufflesharding.RequiredEntropyBits(int(q.Queues), int(q.HandSize)) > shufflesharding.MaxHashBits:
		msg = fmt.Sprintf("required entropy bits of deckSize %d and handSize %d should not be greater than %d", q.Queues, q.HandSize, shufflesharding.MaxHashBits)
	default:
		return nil
	}
	return field.ErrorList{field.Invalid(at, q.HandSize, msg)}
}
