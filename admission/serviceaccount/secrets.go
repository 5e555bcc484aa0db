// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/stoa-project/stoa/apis/core/references"
)

// validateMirror refuses a mirror pod what only the API server could give it.
func validateMirror(spec *corev1.PodSpec) error {
	if spec.ServiceAccountName != "" {
		return errors.New("a mirror pod may not reference service accounts")
	}
	if len(references.Secrets(spec)) > 0 {
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
	return limitEnvironment("ephemeral container", references.Ephemeral(spec), account)
}

func limitEnvironment(what string, containers []corev1.Container, account *corev1.ServiceAccount) error {
	allowed := mountable(account)
	for _, c := range containers {
		for _, use := range references.OfEnvironment(&c) {
			if use.Secret != nil && !allowed.Has(use.Secret.Name) {
				return fmt.Errorf("%s %s with %s referencing secret.secretName=%q is not allowed because service account %s does not reference that secret", what, c.Name, use.By, use.Secret.Name, account.Name)
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
