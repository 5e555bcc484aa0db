// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
)

// WarningsOnDeployment returns what is unwise but no error; old is nil on create.
func WarningsOnDeployment(ctx context.Context, obj, old *appsv1.Deployment) []string {
	if old == nil {
		return append(warningsOnName(obj.Name), warningsOnTemplate(ctx, &obj.Spec.Template, nil)...)
	}
	if obj.Generation == old.Generation {
		return nil
	}
	return warningsOnTemplate(ctx, &obj.Spec.Template, &old.Spec.Template)
}

// WarningsOnReplicaSet returns what is unwise but no error; old is nil on create.
func WarningsOnReplicaSet(ctx context.Context, obj, old *appsv1.ReplicaSet) []string {
	if old == nil {
		return append(warningsOnName(obj.Name), warningsOnTemplate(ctx, &obj.Spec.Template, nil)...)
	}
	if obj.Generation == old.Generation {
		return nil
	}
	return warningsOnTemplate(ctx, &obj.Spec.Template, &old.Spec.Template)
}

// WarningsOnDaemonSet returns what is unwise but no error; old is nil on create.
func WarningsOnDaemonSet(ctx context.Context, obj, old *appsv1.DaemonSet) []string {
	if old == nil {
		return warningsOnTemplate(ctx, &obj.Spec.Template, nil)
	}
	if obj.Generation == old.Generation {
		return nil
	}
	return warningsOnTemplate(ctx, &obj.Spec.Template, &old.Spec.Template)
}

// WarningsOnStatefulSet returns what is unwise but no error; old is nil on create.
func WarningsOnStatefulSet(ctx context.Context, obj, old *appsv1.StatefulSet) []string {
	var out []string
	switch {
	case old == nil:
		out = warningsOnTemplate(ctx, &obj.Spec.Template, nil)
	case obj.Generation != old.Generation:
		out = warningsOnTemplate(ctx, &obj.Spec.Template, &old.Spec.Template)
	}
	for i := range obj.Spec.VolumeClaimTemplates {
		// Kubernetes writes Spec with a capital letter.
		path := field.NewPath("spec", "volumeClaimTemplates").Index(i).Child("Spec")
		out = append(out, warningsOnClaim(&obj.Spec.VolumeClaimTemplates[i].Spec, path)...)
	}
	if ptr.Deref(obj.Spec.RevisionHistoryLimit, 0) < 0 {
		out = append(out, "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
	}
	return out
}

func warningsOnName(name string) []string {
	if msgs := validation.IsDNS1123Label(name); len(msgs) > 0 {
		return []string{fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", msgs)}
	}
	return nil
}

func warningsOnTemplate(ctx context.Context, template, old *corev1.PodTemplateSpec) []string {
	return corevalidation.WarningsForPodTemplate(ctx, field.NewPath("spec", "template"), template, old)
}

// warningsOnClaim warns of fractions of bytes, which nobody means.
func warningsOnClaim(spec *corev1.PersistentVolumeClaimSpec, path *field.Path) []string {
	var out []string
	warn := func(list corev1.ResourceList, name string) {
		if size := list[corev1.ResourceStorage]; size.MilliValue()%1000 != 0 {
			out = append(out, fmt.Sprintf("%s: fractional byte value %q is invalid, must be an integer",
				path.Child("resources", name).Key(string(corev1.ResourceStorage)), size.String()))
		}
	}
	warn(spec.Resources.Requests, "requests")
	warn(spec.Resources.Limits, "limits")
	return out
}
