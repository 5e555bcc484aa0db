// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"fmt"
	"strconv"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/auth/rbac/reconciliation"
)

// reconcileRole adds the rules that are missing, unless the role says that it must
// not be updated.
func reconcileRole(want, have object) (object, error) {
	owner := func(obj object) (reconciliation.RuleOwner, error) {
		switch obj := obj.(type) {
		case *rbacv1.ClusterRole:
			return reconciliation.ClusterRoleRuleOwner{ClusterRole: obj}, nil
		case *rbacv1.Role:
			return reconciliation.RoleRuleOwner{Role: obj}, nil
		}
		return nil, fmt.Errorf("%T is no role", obj)
	}
	wanted, err := owner(want)
	if err != nil {
		return nil, err
	}
	stored, err := owner(have)
	if err != nil {
		return nil, err
	}
	options := reconciliation.ReconcileRoleOptions{Role: wanted, Client: storedRole{stored}}
	result, err := options.Run()
	if err != nil || result.Protected || result.Operation == reconciliation.ReconcileNone {
		return nil, err
	}
	return result.Role.GetObject().(object), nil
}

// storedRole shows a stored role to the library, which writes nothing without Confirm.
type storedRole struct{ role reconciliation.RuleOwner }

func (s storedRole) Get(string, string) (reconciliation.RuleOwner, error) { return s.role, nil }
func (s storedRole) Create(r reconciliation.RuleOwner) (reconciliation.RuleOwner, error) {
	return r, nil
}
func (s storedRole) Update(r reconciliation.RuleOwner) (reconciliation.RuleOwner, error) {
	return r, nil
}

// reconcileBinding adds the subjects that are missing, unless the binding says that it
// must not be updated. One of another role is replaced.
func reconcileBinding(want, have object) (object, error) {
	binding := func(obj object) (reconciliation.RoleBinding, error) {
		switch obj := obj.(type) {
		case *rbacv1.ClusterRoleBinding:
			return reconciliation.ClusterRoleBindingAdapter{ClusterRoleBinding: obj}, nil
		case *rbacv1.RoleBinding:
			return reconciliation.RoleBindingAdapter{RoleBinding: obj}, nil
		}
		return nil, fmt.Errorf("%T is no binding", obj)
	}
	wanted, err := binding(want)
	if err != nil {
		return nil, err
	}
	stored, err := binding(have)
	if err != nil {
		return nil, err
	}
	options := reconciliation.ReconcileRoleBindingOptions{RoleBinding: wanted, Client: storedBinding{stored}}
	result, err := options.Run()
	if err != nil || result.Protected || result.Operation == reconciliation.ReconcileNone {
		return nil, err
	}
	return result.RoleBinding.GetObject().(object), nil
}

type storedBinding struct{ binding reconciliation.RoleBinding }

func (s storedBinding) Get(string, string) (reconciliation.RoleBinding, error) { return s.binding, nil }
func (s storedBinding) Delete(string, string, types.UID) error                 { return nil }
func (s storedBinding) Create(b reconciliation.RoleBinding) (reconciliation.RoleBinding, error) {
	return b, nil
}
func (s storedBinding) Update(b reconciliation.RoleBinding) (reconciliation.RoleBinding, error) {
	return b, nil
}

// reconcileMandatory keeps the spec of an object that the server cannot do without.
func reconcileMandatory(want, have object) (object, error) { return reconcileFlow(want, have, true) }

// reconcileSuggested keeps the spec of an object unless a user has taken it over: by
// the annotation, or, where there is none, by having changed it.
func reconcileSuggested(want, have object) (object, error) {
	update, err := strconv.ParseBool(have.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey])
	if err != nil {
		update = have.GetGeneration() == 1
	}
	return reconcileFlow(want, have, update)
}

func reconcileFlow(want, have object, update bool) (object, error) {
	changed := false
	if update {
		var err error
		if changed, err = copySpec(want, have); err != nil {
			return nil, err
		}
	}
	annotations := have.GetAnnotations()
	if text := strconv.FormatBool(update); annotations[flowcontrolv1.AutoUpdateAnnotationKey] != text {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[flowcontrolv1.AutoUpdateAnnotationKey] = text
		have.SetAnnotations(annotations)
		changed = true
	}
	if !changed {
		return nil, nil
	}
	return have, nil
}

// copySpec makes the spec of have that of want, and says whether it was another. What
// the exempt level reserves is for administrators to say.
func copySpec(want, have object) (bool, error) {
	switch have := have.(type) {
	case *flowcontrolv1.FlowSchema:
		spec := want.(*flowcontrolv1.FlowSchema).Spec
		if apiequality.Semantic.DeepEqual(have.Spec, spec) {
			return false, nil
		}
		have.Spec = spec
	case *flowcontrolv1.PriorityLevelConfiguration:
		spec := want.(*flowcontrolv1.PriorityLevelConfiguration).Spec
		if have.Name == flowcontrolv1.PriorityLevelConfigurationNameExempt && have.Spec.Exempt != nil {
			spec.Exempt = have.Spec.Exempt
		}
		if apiequality.Semantic.DeepEqual(have.Spec, spec) {
			return false, nil
		}
		have.Spec = spec
	default:
		return false, fmt.Errorf("%T is no object of flow control", have)
	}
	have.SetGeneration(have.GetGeneration() + 1)
	return true, nil
}
