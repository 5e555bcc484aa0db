// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package references finds the objects that pods and volumes name. It is for those who
// grant or refuse access by them, not for validation.
package references

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
)

// Environment is where the environment of a container names an object.
type Environment struct {
	// By says where that is, such as "envFrom".
	By string
	// Secret and ConfigMap are the object, of which one is set.
	Secret, ConfigMap *corev1.LocalObjectReference
}

// OfEnvironment returns what the environment of a container names.
func OfEnvironment(c *corev1.Container) []Environment {
	var out []Environment
	for _, env := range c.Env {
		switch from := env.ValueFrom; {
		case from == nil:
		case from.SecretKeyRef != nil:
			out = append(out, Environment{By: "envVar " + env.Name, Secret: &from.SecretKeyRef.LocalObjectReference})
		case from.ConfigMapKeyRef != nil:
			out = append(out, Environment{By: "envVar " + env.Name, ConfigMap: &from.ConfigMapKeyRef.LocalObjectReference})
		}
	}
	for _, from := range c.EnvFrom {
		switch {
		case from.SecretRef != nil:
			out = append(out, Environment{By: "envFrom", Secret: &from.SecretRef.LocalObjectReference})
		case from.ConfigMapRef != nil:
			out = append(out, Environment{By: "envFrom", ConfigMap: &from.ConfigMapRef.LocalObjectReference})
		}
	}
	return out
}

// Ephemeral returns the ephemeral containers of a pod as containers.
func Ephemeral(spec *corev1.PodSpec) []corev1.Container {
	out := make([]corev1.Container, len(spec.EphemeralContainers))
	for i := range out {
		out[i] = corev1.Container(spec.EphemeralContainers[i].EphemeralContainerCommon)
	}
	return out
}

func ofContainers(spec *corev1.PodSpec) []Environment {
	var out []Environment
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers, Ephemeral(spec)} {
		for i := range list {
			out = append(out, OfEnvironment(&list[i])...)
		}
	}
	return out
}

// Secrets returns the names of the secrets that a pod names anywhere.
func Secrets(spec *corev1.PodSpec) []string {
	var out []string
	add := func(name string) {
		if name != "" {
			out = append(out, name)
		}
	}
	for _, ref := range spec.ImagePullSecrets {
		add(ref.Name)
	}
	for _, env := range ofContainers(spec) {
		if env.Secret != nil {
			add(env.Secret.Name)
		}
	}
	for i := range spec.Volumes {
		volumeSecrets(&spec.Volumes[i].VolumeSource, add)
	}
	return out
}

// volumeSecrets adds the secrets that a volume names.
func volumeSecrets(v *corev1.VolumeSource, add func(string)) {
	ref := func(to *corev1.LocalObjectReference) {
		if to != nil {
			add(to.Name)
		}
	}
	switch {
	case v.AzureFile != nil:
		add(v.AzureFile.SecretName)
	case v.CephFS != nil:
		ref(v.CephFS.SecretRef)
	case v.Cinder != nil:
		ref(v.Cinder.SecretRef)
	case v.FlexVolume != nil:
		ref(v.FlexVolume.SecretRef)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				add(source.Secret.Name)
			}
		}
	case v.RBD != nil:
		ref(v.RBD.SecretRef)
	case v.Secret != nil:
		add(v.Secret.SecretName)
	case v.ScaleIO != nil:
		ref(v.ScaleIO.SecretRef)
	case v.ISCSI != nil:
		ref(v.ISCSI.SecretRef)
	case v.StorageOS != nil:
		ref(v.StorageOS.SecretRef)
	case v.CSI != nil:
		ref(v.CSI.NodePublishSecretRef)
	}
}

// ConfigMaps returns the names of the config maps that a pod names anywhere.
func ConfigMaps(spec *corev1.PodSpec) []string {
	var out []string
	add := func(ref *corev1.LocalObjectReference) {
		if ref != nil && ref.Name != "" {
			out = append(out, ref.Name)
		}
	}
	for _, env := range ofContainers(spec) {
		add(env.ConfigMap)
	}
	for _, v := range spec.Volumes {
		switch {
		case v.ConfigMap != nil:
			add(&v.ConfigMap.LocalObjectReference)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if source.ConfigMap != nil {
					add(&source.ConfigMap.LocalObjectReference)
				}
			}
		}
	}
	return out
}

// Claim returns the name of the persistent volume claim behind a volume of a pod, empty
// if there is none.
func Claim(pod string, v *corev1.Volume) string {
	switch {
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ClaimName
	case v.Ephemeral != nil:
		return pod + "-" + v.Name
	}
	return ""
}

// NodeSecrets returns the secrets that a node needs to mount a persistent volume.
func NodeSecrets(spec *corev1.PersistentVolumeSpec) []corev1.SecretReference {
	var out []corev1.SecretReference
	add := func(namespace, name string) {
		if namespace != "" && name != "" {
			out = append(out, corev1.SecretReference{Namespace: namespace, Name: name})
		}
	}
	claimed := ""
	if spec.ClaimRef != nil {
		claimed = spec.ClaimRef.Namespace
	}
	// orClaim is for kinds of volumes whose secret may be in the namespace of the claim.
	orClaim := func(ref *corev1.SecretReference) {
		if ref != nil {
			add(cmp.Or(ref.Namespace, claimed), ref.Name)
		}
	}
	switch {
	case spec.AzureFile != nil:
		namespace := claimed
		if spec.AzureFile.SecretNamespace != nil {
			namespace = cmp.Or(*spec.AzureFile.SecretNamespace, claimed)
		}
		add(namespace, spec.AzureFile.SecretName)
	case spec.CephFS != nil:
		orClaim(spec.CephFS.SecretRef)
	case spec.FlexVolume != nil:
		orClaim(spec.FlexVolume.SecretRef)
	case spec.RBD != nil:
		orClaim(spec.RBD.SecretRef)
	case spec.ScaleIO != nil:
		orClaim(spec.ScaleIO.SecretRef)
	case spec.ISCSI != nil:
		orClaim(spec.ISCSI.SecretRef)
	case spec.Cinder != nil:
		if ref := spec.Cinder.SecretRef; ref != nil {
			add(ref.Namespace, ref.Name)
		}
	case spec.StorageOS != nil:
		if ref := spec.StorageOS.SecretRef; ref != nil {
			add(ref.Namespace, ref.Name)
		}
	case spec.CSI != nil:
		for _, ref := range []*corev1.SecretReference{spec.CSI.NodePublishSecretRef, spec.CSI.NodeStageSecretRef, spec.CSI.NodeExpandSecretRef} {
			if ref != nil {
				add(ref.Namespace, ref.Name)
			}
		}
	}
	return out
}
