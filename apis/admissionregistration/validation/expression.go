// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

const maxMatchConditions = 64

// plain compiles expressions that know no variables of a policy. Its environments
// take a while to make and do not change.
//
//nolint:gochecknoglobals // constant, made when it is needed
var plain = sync.OnceValue(func() plugincel.Compiler {
	return plugincel.NewCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
})

// composed returns a compiler that learns the variables of one policy.
func composed() (*plugincel.CompositedCompiler, error) {
	return plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
}

// environments chooses what an expression may use: one that is stored already may
// use what a newer server of the cluster knows.
func environments(stored map[string]bool, expression string) environment.Type {
	if stored[expression] {
		return environment.StoredExpressions
	}
	return environment.NewExpressions
}

// compile reports why an expression does not compile. value is what the error quotes.
func compile(c plugincel.Compiler, e plugincel.ExpressionAccessor, vars plugincel.OptionalVariableDeclarations, t environment.Type, at *field.Path, value string) field.ErrorList {
	return celErrors(c.CompileCELExpression(e, vars, t), at, value)
}

func celErrors(result plugincel.CompilationResult, at *field.Path, value string) field.ErrorList {
	if result.Error == nil {
		return nil
	}
	var err *cel.Error
	if !errors.As(result.Error, &err) {
		return field.ErrorList{field.InternalError(at, fmt.Errorf("unsupported error type: %w", result.Error))}
	}
	switch err.Type {
	case cel.ErrorTypeRequired:
		return field.ErrorList{field.Required(at, err.Detail)}
	case cel.ErrorTypeInvalid:
		return field.ErrorList{field.Invalid(at, value, err.Detail)}
	default:
		return field.ErrorList{field.InternalError(at, err)}
	}
}

func validateMatchConditions(conditions []admissionregistrationv1.MatchCondition, stored map[string]bool, params bool, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(conditions) > maxMatchConditions {
		errs = append(errs, field.TooMany(at, len(conditions), maxMatchConditions))
	}
	seen := map[string]bool{}
	for i, c := range conditions {
		at := at.Index(i)
		if expression := strings.TrimSpace(c.Expression); expression == "" {
			errs = append(errs, field.Required(at.Child("expression"), ""))
		} else {
			errs = append(errs, compile(plain(), &matchconditions.MatchCondition{Expression: expression},
				plugincel.OptionalVariableDeclarations{HasParams: params, HasAuthorizer: true},
				environments(stored, expression), at.Child("expression"), expression)...)
		}
		if c.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), ""))
			continue
		}
		errs = append(errs, validateQualifiedName(c.Name, at.Child("name"))...)
		if seen[c.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		seen[c.Name] = true
	}
	return errs
}

func validateQualifiedName(name string, at *field.Path) field.ErrorList {
	return fielderrors.Each(at, name, validation.IsQualifiedName(name))
}
