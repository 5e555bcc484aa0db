// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"encoding/json"

	resourcev1 "k8s.io/api/resource/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// age says whether a part is as it was stored: rules that came later do not apply
// to it then.
type age bool

const (
	isNew  age = false
	stored age = true
)

// ValidateDeviceClass judges a class; old is nil on create.
func ValidateDeviceClass(class, old *resourcev1.DeviceClass) field.ErrorList {
	path := field.NewPath("spec")
	var errs field.ErrorList
	if old == nil || !apiequality.Semantic.DeepEqual(class.Spec.Selectors, old.Spec.Selectors) {
		errs = validateSelectors(class.Spec.Selectors, path.Child("selectors"))
	}
	config := age(old != nil && apiequality.Semantic.DeepEqual(class.Spec.Config, old.Spec.Config))
	return append(errs, each(class.Spec.Config, resourcev1.DeviceConfigMaxSize, path.Child("config"), func(c *resourcev1.DeviceClassConfiguration, path *field.Path) field.ErrorList {
		return validateDeviceConfiguration(&c.DeviceConfiguration, path, config)
	})...)
}

func validateDeviceConfiguration(config *resourcev1.DeviceConfiguration, path *field.Path, age age) field.ErrorList {
	if config.Opaque == nil {
		return field.ErrorList{field.Required(path.Child("opaque"), "")}
	}
	return validateRaw(config.Opaque.Parameters.Raw, path.Child("opaque", "parameters"), resourcev1.OpaqueParametersMaxLength, age)
}

// validateRaw demands a JSON object. One that is stored may be longer than most.
func validateRaw(raw []byte, path *field.Path, most int, age age) field.ErrorList {
	var value any
	if len(raw) == 0 {
		return field.ErrorList{field.Required(path, "")}
	}
	if age == isNew && len(raw) > most {
		return field.ErrorList{field.TooLong(path, "" /* not printed */, most)}
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return field.ErrorList{field.Invalid(path, "<value omitted>", "error parsing data as JSON: "+err.Error())}
	}
	if value == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if _, object := value.(map[string]any); !object {
		return field.ErrorList{field.Invalid(path, "<value omitted>", "must be a valid JSON object")}
	}
	return nil
}
