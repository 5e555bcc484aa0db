// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"time"

	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/resource"
	"github.com/stoa-project/stoa/apis/resource/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// deviceTaintRules returns the kind DeviceTaintRule.
func deviceTaintRules() kind.Kind {
	return kind.New(kind.Definition[resource.DeviceTaintRule]{
		Kind: "DeviceTaintRule", Plural: "devicetaintrules",
		ClusterScoped: true,
		Spec:          kind.PartOf(func(d *resource.DeviceTaintRule) *resourcev1.DeviceTaintRuleSpec { return &d.Spec }),
		Status:        kind.PartOf(func(d *resource.DeviceTaintRule) *resourcev1.DeviceTaintRuleStatus { return &d.Status }),
		Strategy: kind.Strategy[resource.DeviceTaintRule]{
			Prepare: prepareTaintRule,
			Validate: func(_ context.Context, obj *resource.DeviceTaintRule) field.ErrorList {
				return validation.ValidateDeviceTaintRule((*resourcev1.DeviceTaintRule)(obj))
			},
			ValidateStatus: func(_ context.Context, obj, _ *resource.DeviceTaintRule) field.ErrorList {
				return validation.ValidateDeviceTaintRuleStatus((*resourcev1.DeviceTaintRule)(obj))
			},
		},
		Columns: []kind.Column[resource.DeviceTaintRule]{
			kind.Name[resource.DeviceTaintRule](),
			{Name: "Key", Description: "The taint key", Value: func(d *resource.DeviceTaintRule) any { return d.Spec.Taint.Key }},
			{Name: "Value", Description: "The taint value", Value: func(d *resource.DeviceTaintRule) any { return d.Spec.Taint.Value }},
			{Name: "Effect", Description: "The taint effect", Value: func(d *resource.DeviceTaintRule) any { return string(d.Spec.Taint.Effect) }},
			{Name: "TimeAdded", Description: "The time that the taint was added", Value: func(d *resource.DeviceTaintRule) any {
				if d.Spec.Taint.TimeAdded == nil {
					return kind.HumanAge(metav1.Time{})
				}
				return kind.HumanAge(*d.Spec.Taint.TimeAdded)
			}},
			kind.Age[resource.DeviceTaintRule](),
		},
	})
}

// prepareTaintRule starts the time of a taint again when its effect changes, unless
// the client says since when it is there: tolerations are counted from it.
func prepareTaintRule(_ context.Context, obj, old *resource.DeviceTaintRule) {
	if old == nil {
		return
	}
	taint, before := &obj.Spec.Taint, &old.Spec.Taint
	if taint.Effect != before.Effect && taint.TimeAdded.Equal(before.TimeAdded) {
		taint.TimeAdded = &metav1.Time{Time: time.Now().Truncate(time.Second)}
	}
}
