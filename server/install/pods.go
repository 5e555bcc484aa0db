// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// nobody is the user and group of the container.
const nobody = 65532

// pods are those of the server, and what is around them.
func (o Options) pods() []runtime.Object {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{appName: Name}}
	https := intstr.FromString("https")
	out := []runtime.Object{
		o.deployment(selector),
		&policyv1.PodDisruptionBudget{
			TypeMeta: kind(policyv1.GroupName, "PodDisruptionBudget"), ObjectMeta: o.meta(o.Namespace, Name),
			Spec: policyv1.PodDisruptionBudgetSpec{Selector: selector, MaxUnavailable: new(intstr.FromInt32(1))},
		},
		&networkingv1.NetworkPolicy{
			// API servers are outside the network of pods, so that no rule can name them.
			TypeMeta: kind(networkingv1.GroupName, "NetworkPolicy"), ObjectMeta: o.meta(o.Namespace, Name),
			Spec: networkingv1.NetworkPolicySpec{
				PodSelector: *selector, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				Ingress: []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{{Protocol: new(corev1.ProtocolTCP), Port: &https}}}},
			},
		},
	}
	if len(o.EtcdServers) > 0 {
		return out
	}
	return append([]runtime.Object{&corev1.PersistentVolumeClaim{
		TypeMeta: kind("", "PersistentVolumeClaim"), ObjectMeta: o.meta(o.Namespace, Name),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(o.StorageSize)}},
		},
	}}, out...)
}

func (o Options) deployment(selector *metav1.LabelSelector) *appsv1.Deployment {
	data, strategy := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, appsv1.RollingUpdateDeploymentStrategyType
	if len(o.EtcdServers) == 0 {
		// Two servers cannot use one folder.
		data, strategy = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: Name}}, appsv1.RecreateDeploymentStrategyType
	}
	return &appsv1.Deployment{
		TypeMeta: kind(appsv1.GroupName, "Deployment"), ObjectMeta: o.meta(o.Namespace, Name),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(o.Replicas), Selector: selector, Strategy: appsv1.DeploymentStrategy{Type: strategy},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{appName: Name}},
				Spec: corev1.PodSpec{
					ServiceAccountName: Name,
					Containers:         []corev1.Container{o.container()},
					Volumes:            []corev1.Volume{{Name: "data", VolumeSource: data}, {Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot: new(true), RunAsUser: new(int64(nobody)), RunAsGroup: new(int64(nobody)), FSGroup: new(int64(nobody)),
						// Otherwise the keys are opened to the group at each start, which the server refuses.
						FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
						SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
				},
			},
		},
	}
}

func (o Options) container() corev1.Container {
	probe := func(path string, failures int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("https"), Scheme: corev1.URISchemeHTTPS}},
			FailureThreshold: failures, PeriodSeconds: 5, TimeoutSeconds: 10, //nolint:mnd // as long as what it asks may take
		}
	}
	return corev1.Container{
		Name: Name, Image: o.Image, Args: o.args(),
		Ports:          []corev1.ContainerPort{{Name: "https", ContainerPort: o.Port, Protocol: corev1.ProtocolTCP}},
		StartupProbe:   probe("/livez", 60), //nolint:mnd // five minutes
		LivenessProbe:  probe("/livez", 6),  //nolint:mnd // half a minute
		ReadinessProbe: probe("/readyz", 2), //nolint:mnd // ten seconds
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
		}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "tmp", MountPath: "/tmp"}},
	}
}
