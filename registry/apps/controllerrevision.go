// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/apis/apps/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// ControllerRevisions returns the kind ControllerRevision.
func ControllerRevisions() kind.Kind {
	return kind.New(kind.Definition[apps.ControllerRevision]{
		Kind: "ControllerRevision", Plural: "controllerrevisions",
		UnconditionalUpdate: true, // as in Kubernetes
		Strategy: kind.Strategy[apps.ControllerRevision]{
			Validate: func(_ context.Context, obj *apps.ControllerRevision) field.ErrorList {
				return validation.ValidateControllerRevision((*appsv1.ControllerRevision)(obj))
			},
			ValidateUpdate: func(_ context.Context, obj, old *apps.ControllerRevision) field.ErrorList {
				return validation.ValidateControllerRevisionUpdate((*appsv1.ControllerRevision)(obj), (*appsv1.ControllerRevision)(old))
			},
		},
		Columns: []kind.Column[apps.ControllerRevision]{
			kind.Name[apps.ControllerRevision](),
			{Name: "Controller", Description: "Controller of the object", Value: func(r *apps.ControllerRevision) any { return controllerOf(&r.ObjectMeta) }},
			{Name: "Revision", Description: appsv1.ControllerRevision{}.SwaggerDoc()["revision"], Value: func(r *apps.ControllerRevision) any { return r.Revision }},
			kind.Age[apps.ControllerRevision](),
		},
	})
}

// controllerOf names the controller as kubectl does: "daemonset.apps/name".
func controllerOf(obj *metav1.ObjectMeta) string {
	owner := metav1.GetControllerOf(obj)
	if owner == nil {
		return "<none>"
	}
	gv, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil {
		return "<none>"
	}
	return strings.ToLower(gv.WithKind(owner.Kind).GroupKind().String()) + "/" + owner.Name
}
