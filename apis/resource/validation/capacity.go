// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"math"
	"strconv"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/features"
)

// mostValidValues is how many values a policy may list.
const mostValidValues = 10

// validateRequestPolicy judges how parts of a capacity may be asked for: in some
// sizes, or in steps of a range. The default must be possible.
func validateRequestPolicy(capacity *resourcev1.DeviceCapacity, path *field.Path) field.ErrorList {
	policy := capacity.RequestPolicy
	listed := len(policy.ValidValues) > 0
	switch {
	case listed && policy.ValidRange != nil:
		return field.ErrorList{field.Forbidden(path, `exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time`)}
	case listed && policy.Default == nil:
		return field.ErrorList{field.Required(path.Child("default"), "required when validValues is defined")}
	case listed:
		return validateValues(*policy.Default, capacity.Value, policy.ValidValues, path.Child("validValues"))
	case policy.ValidRange != nil && policy.Default == nil:
		return field.ErrorList{field.Required(path.Child("default"), "required when validRange is defined")}
	case policy.ValidRange != nil:
		return validateRange(*policy.Default, capacity.Value, policy.ValidRange, path.Child("validRange"))
	}
	return nil
}

func validateValues(byDefault, most resource.Quantity, values []resource.Quantity, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := 1; i < len(values); i++ {
		if values[i-1].Cmp(values[i]) > 0 {
			errs = append(errs, field.Invalid(path.Index(i), values[i].String(), "values must be sorted in ascending order"))
		}
	}
	found := false
	if len(values) > mostValidValues {
		errs = append(errs, field.TooMany(path, len(values), mostValidValues))
		values = nil
	}
	seen := sets.New[string]()
	for i, value := range values {
		found = found || value.Cmp(byDefault) == 0
		if value.Cmp(most) > 0 {
			errs = append(errs, field.Invalid(path.Index(i), value.String(), "option is larger than capacity value: "+most.String()))
		}
		key := strconv.FormatInt(value.Value(), 10)
		if features.Enabled(features.DRAFractionalCapacityRange) {
			key = value.AsDec().String()
		}
		if seen.Has(key) {
			errs = append(errs, field.Duplicate(path.Index(i), key))
		}
		seen.Insert(key)
	}
	if !found {
		errs = append(errs, field.Invalid(path, byDefault.String(), "default value is not valid according to the requestPolicy"))
	}
	return errs
}

func validateRange(byDefault, capacity resource.Quantity, r *resourcev1.CapacityRequestPolicyRange, path *field.Path) field.ErrorList {
	if r.Min == nil {
		return field.ErrorList{field.Required(path.Child("min"), "required when validRange is defined")}
	}
	var errs field.ErrorList
	above := func(a, b resource.Quantity, name string, shown resource.Quantity, format string) {
		if a.Cmp(b) > 0 {
			errs = append(errs, field.Invalid(path.Child(name), shown.String(), fmt.Sprintf(format, b.String())))
		}
	}
	above(*r.Min, capacity, "min", *r.Min, "min is larger than capacity value: %s")
	if byDefault.Cmp(*r.Min) < 0 {
		errs = append(errs, field.Invalid(path.Child("default"), byDefault.String(), "default is less than min: "+r.Min.String()))
	}
	if r.Max != nil {
		above(*r.Min, *r.Max, "max", *r.Min, "min is larger than max: %s")
		above(*r.Max, capacity, "max", *r.Max, "max is larger than capacity value: %s")
		above(byDefault, *r.Max, "default", byDefault, "default is more than max: %s")
	}
	values := []bound{{"default", &byDefault}, {"min", r.Min}, {"max", r.Max}, {"step", r.Step}}
	unit := resource.Scale(0)
	if features.Enabled(features.DRAFractionalCapacityRange) && anyFractional(values) {
		unit = resource.Milli
		if wrong := validateMilli(values, path); len(wrong) > 0 {
			return append(errs, wrong...)
		}
	}
	if r.Step == nil {
		return errs
	}
	if r.Step.Sign() <= 0 {
		return append(errs, field.Invalid(path.Child("step"), r.Step.String(), "must be greater than zero"))
	}
	first := r.Min.DeepCopy()
	first.Add(*r.Step)
	above(first, capacity, "step", *r.Step, "one step "+first.String()+" is larger than capacity value: %s")
	if unit == 0 {
		if wrong := validateInt64(values, path); len(wrong) > 0 {
			return append(errs, wrong...)
		}
	}
	for _, value := range []*resource.Quantity{&byDefault, r.Max} {
		if value != nil && (value.ScaledValue(unit)-r.Min.ScaledValue(unit))%r.Step.ScaledValue(unit) != 0 {
			errs = append(errs, field.Invalid(path.Child("step"), value.String(), fmt.Sprintf("value is not a multiple of a given step (%s) from (%s)", r.Step.String(), r.Min.String())))
		}
	}
	return errs
}

// bound is a value of a range; nil if it is not set.
type bound struct {
	name  string
	value *resource.Quantity
}

func anyFractional(values []bound) bool {
	for _, b := range values {
		if b.value == nil {
			continue
		}
		if whole := b.value.DeepCopy(); !whole.RoundUp(0) {
			return true
		}
	}
	return false
}

// validateMilli refuses what thousandths cannot represent.
func validateMilli(values []bound, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, b := range values {
		if b.value != nil && b.value.Cmp(*resource.NewMilliQuantity(b.value.MilliValue(), b.value.Format)) != 0 {
			errs = append(errs, field.Invalid(path.Child(b.name), b.value.String(), "value cannot be represented as a milli value"))
		}
	}
	return errs
}

// validateInt64 refuses what would overflow in the arithmetic of steps.
func validateInt64(values []bound, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, b := range values {
		switch {
		case b.value == nil:
		case b.value.Sign() < 0:
			errs = append(errs, field.Invalid(path.Child(b.name), b.value.String(), apivalidation.IsNegativeErrorMsg))
		case b.value.CmpInt64(math.MaxInt64) > 0:
			errs = append(errs, field.Invalid(path.Child(b.name), b.value.String(), "must not be larger than 9223372036854775807"))
		}
	}
	return errs
}
