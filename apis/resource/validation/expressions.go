// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	dracel "k8s.io/dynamic-resource-allocation/cel"

	"github.com/stoa-project/stoa/features"
)

func validateSelectors(selectors []resourcev1.DeviceSelector, path *field.Path) field.ErrorList {
	return each(selectors, resourcev1.DeviceSelectorsMaxSize, path, func(selector *resourcev1.DeviceSelector, path *field.Path) field.ErrorList {
		path = path.Child("cel")
		if selector.CEL == nil {
			return field.ErrorList{field.Required(path, "")}
		}
		_, errs := validateExpression(selector.CEL.Expression, path.Child("expression"), selectsDevices)
		return errs
	})
}

// purpose says what an expression is for.
type purpose bool

const (
	selectsDevices   purpose = false
	derivesAttribute purpose = true
)

// validateExpression compiles an expression and returns what it may cost.
func validateExpression(expression string, path *field.Path, purpose purpose) (uint64, field.ErrorList) {
	if len(expression) > resourcev1.CELSelectorExpressionMaxLength {
		return 0, field.ErrorList{field.TooLong(path, "" /* not printed */, resourcev1.CELSelectorExpressionMaxLength)}
	}
	env := environment.NewExpressions
	result := dracel.GetCompiler(dracel.Features{
		EnableConsumableCapacity: features.Enabled(features.DRAConsumableCapacity),
		EnableListTypeAttributes: features.Enabled(features.DRAListTypeAttributes),
	}).CompileCELExpression(expression, dracel.Options{EnvType: &env, DerivedAttribute: purpose == derivesAttribute})
	if err := result.Error; err != nil {
		switch err.Type {
		case apiservercel.ErrorTypeRequired:
			return 0, field.ErrorList{field.Required(path, err.Detail)}
		case apiservercel.ErrorTypeInvalid:
			return 0, field.ErrorList{field.Invalid(path, expression, err.Detail)}
		case apiservercel.ErrorTypeInternal:
			return 0, field.ErrorList{field.InternalError(path, err)}
		}
		return 0, field.ErrorList{field.InternalError(path, fmt.Errorf("unsupported error type: %w", err))}
	}
	most := uint64(resourcev1.CELSelectorExpressionMaxCost)
	if purpose == derivesAttribute {
		most = min(most, resourcev1.DeviceClaimDerivedAttributeCELMaxCost)
	}
	if result.MaxCost > most {
		return result.MaxCost, field.ErrorList{field.Forbidden(path, "too complex, exceeds cost limit")}
	}
	return result.MaxCost, nil
}
