// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst, TerminationGracePeriodSeconds: new(int64(30)),
			Containers: []corev1.Container{{Name: "web", Image: "web", ImagePullPolicy: corev1.PullAlways, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}}},
		},
	}
}

func statefulSet() *appsv1.StatefulSet {
	return &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{
		PodManagementPolicy: appsv1.ParallelPodManagement,
		UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
		Selector:            &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		Template:            template(),
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
			TypeMeta: metav1.TypeMeta{Kind: "PersistentVolumeClaim", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}},
		}},
	}}
}

// A container may mount what the set claims; claims are judged when they are new,
// and do not change.
func TestStatefulSetClaims(t *testing.T) {
	t.Parallel()
	fielderrorstest.Compare(t, []string{"spec.volumeClaimTemplates[0].spec.resources[storage]: Required value"}, ValidateStatefulSet(statefulSet()))
	old, obj := statefulSet(), statefulSet()
	obj.Spec.VolumeClaimTemplates[0].TypeMeta = metav1.TypeMeta{}
	if errs := ValidateStatefulSetUpdate(obj, old); len(errs) > 0 {
		t.Errorf("without the kind of the claim: %v", errs)
	}
	obj.Spec.VolumeClaimTemplates[0].Name = "other"
	errs := ValidateStatefulSetUpdate(obj, old)
	if len(errs) != 2 || errs[0].Field != "spec.template.spec.containers[0].volumeMounts[0].name" || errs[1].Field != "spec.volumeClaimTemplates" {
		t.Errorf("another name: %v", errs)
	}
}

// A template that was wrong before it was judged may stay so.
func TestStatefulSetTemplateRatchets(t *testing.T) {
	t.Parallel()
	old := statefulSet()
	old.Spec.Template.Spec.Containers[0].VolumeMounts[0].Name = "none"
	obj := old.DeepCopy()
	obj.Spec.Replicas = new(int32(3))
	if errs := ValidateStatefulSetUpdate(obj, old); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestRollingUpdates(t *testing.T) {
	t.Parallel()
	of := func(s string) *intstr.IntOrString { return new(intstr.Parse(s)) }
	path := field.NewPath("s")
	for _, tc := range []struct {
		name, unavailable, surge string
		deployment, daemonSet    []string
	}{
		{name: "one after the other", unavailable: "1", surge: "0"},
		{name: "both", unavailable: "1", surge: "25%",
			daemonSet: []string{`s.rollingUpdate.maxSurge: Invalid value: "25%": may not be set when maxUnavailable is non-zero`}},
		{name: "none", unavailable: "0%", surge: "0",
			deployment: []string{`s.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when ` + "`maxSurge` is 0"},
			daemonSet:  []string{"s.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"}},
		{name: "more than all", unavailable: "101%", surge: "0",
			deployment: []string{`s.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%`},
			daemonSet:  []string{`s.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.deployment, validateDeploymentStrategy(&appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: of(tc.unavailable), MaxSurge: of(tc.surge)}}, path))
			fielderrorstest.Compare(t, tc.daemonSet, validateDaemonSetStrategy(&appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: of(tc.unavailable), MaxSurge: of(tc.surge)}}, path))
		})
	}
}

func TestCollisionsAreNotCountedDown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value, old *int32
		ok         bool
	}{{nil, nil, true}, {new(int32(1)), nil, true}, {new(int32(2)), new(int32(1)), true}, {new(int32(1)), new(int32(2)), false}, {nil, new(int32(0)), false}} {
		if errs := validateCollisions(field.NewPath("status"), tc.value, tc.old); (len(errs) == 0) != tc.ok {
			t.Errorf("%v after %v: %v", tc.value, tc.old, errs)
		}
	}
}
