// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// validateMirror refuses a mirror pod what only the API server could give it.
func validateMirror(spec *corev1.PodSpec) error {
	if spec.ServiceAccountName != "" {
		return errors.New("a mirror pod may not reference service accounts")
	}
	if slices.ContainsFunc(secretNames(spec), func(name string) bool { return name != "" }) {
		return errors.New("a mirror pod may not reference secrets")
	}
	for _, v := range spec.Volumes {
		if v.Projected == nil {
			continue
		}
		if slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool { return s.ServiceAccountToken != nil }) {
			return errors.New("a mirror pod may not use ServiceAccountToken volume projections")
		}
	}
	return nil
}

// secretNames are the secrets that a spec names anywhere.
func secretNames(spec *corev1.PodSpec) []string {
	var out []string
	for _, ref := range spec.ImagePullSecrets {
		out = append(out, ref.Name)
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers, ephemeral(spec)} {
		for _, c := range list {
			for _, use := range uses(c) {
				out = append(out, use.secret)
			}
		}
	}
	for i := range spec.Volumes {
		out = append(out, volumeSecrets(&spec.Volumes[i].VolumeSource)...)
	}
	return out
}

// volumeSecrets are the secrets that a volume names.
func volumeSecrets(v *corev1.VolumeSource) []string {
	var out []string
	add := func(ref *corev1.LocalObjectReference) {
		if ref != nil {
			out = append(out, ref.Name)
		}
	}
	switch {
	case v.AzureFile != nil:
		out = append(out, v.AzureFile.SecretName)
	case v.CephFS != nil:
		add(v.CephFS.SecretRef)
	case v.Cinder != nil:
		add(v.Cinder.SecretRef)
	case v.FlexVolume != nil:
		add(v.FlexVolume.SecretRef)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				out = append(out, source.Secret.Name)
			}
		}
	case v.RBD != nil:
		add(v.RBD.SecretRef)
	case v.Secret != nil:
		out = append(out, v.Secret.SecretName)
	case v.ScaleIO != nil:
		add(v.ScaleIO.SecretRef)
	case v.ISCSI != nil:
		add(v.ISCSI.SecretRef)
	case v.StorageOS != nil:
		add(v.StorageOS.SecretRef)
	case v.CSI != nil:
		add(v.CSI.NodePublishSecretRef)
	}
	return out
}

// use is where the environment of a container names a secret.
type use struct{ by, secret string }

func uses(c corev1.Container) []use {
	var out []use
	for _, env := range c.Env {
		if env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil {
			out = append(out, use{"envVar " + env.Name, env.ValueFrom.SecretKeyRef.Name})
		}
	}
	for _, from := range c.EnvFrom {
		if from.SecretRef != nil {
			out = append(out, use{"envFrom", from.SecretRef.Name})
		}
	}
	return out
}

func ephemeral(spec *corev1.PodSpec) []corev1.Container {
	out := make([]corev1.Container, len(spec.EphemeralContainers))
	for i := range out {
		out[i] = corev1.Container(spec.EphemeralContainers[i].EphemeralContainerCommon)
	}
	return out
}

// limitSecrets refuses secrets that the account does not list.
func limitSecrets(account *corev1.ServiceAccount, spec *corev1.PodSpec) error {
	allowed := mountable(account)
	for _, v := range spec.Volumes {
		if v.Secret != nil && !allowed.Has(v.Secret.SecretName) {
			return fmt.Errorf("volume with secret.secretName=%q is not allowed because service account %s does not reference that secret", v.Secret.SecretName, account.Name)
		}
	}
	if err := limitEnvironment("init container", spec.InitContainers, account); err != nil {
		return err
	}
	if err := limitEnvironment("container", spec.Containers, account); err != nil {
		return err
	}
	for i, ref := range spec.ImagePullSecrets {
		if !slices.Contains(account.ImagePullSecrets, ref) {
			return fmt.Errorf("imagePullSecrets[%d].name=%q is not allowed because service account %s does not reference that imagePullSecret", i, ref.Name, account.Name)
		}
	}
	return nil
}

// limitEphemeral does the same for the containers that a running pod gets.
func limitEphemeral(account *corev1.ServiceAccount, spec *corev1.PodSpec) error {
	return limitEnvironment("ephemeral container", ephemeral(spec), account)
}

func limitEnvironment(what string, containers []corev1.Container, account *corev1.ServiceAccount) error {
	allowed := mountable(account)
	for _, c := range containers {
		for _, use := range uses(c) {
			if !allowed.Has(use.secret) {
				return fmt.Errorf("%s %s with %s referencing secret.secretName=%q is not allowed because service account %s does not reference that secret", what, c.Name, use.by, use.secret, account.Name)
			}
		}
	}
	return nil
}

func mountable(account *corev1.ServiceAccount) sets.Set[string] {
	out := sets.Set[string]{}
	for _, ref := range account.Secrets {
		out.Insert(ref.Name)
	}
	return out
}
