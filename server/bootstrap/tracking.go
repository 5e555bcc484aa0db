// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const sinceKey = "since"

// Tracking is the config map that says since which day the uses of tokens in secrets are
// written down: from now on, unless it says another day.
func Tracking(now time.Time) Object {
	today := now.UTC().Format(time.DateOnly)
	return Object{
		Resource: corev1.SchemeGroupVersion.WithResource("configmaps"),
		Want: &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kube-apiserver-legacy-service-account-token-tracking"},
			Data:       map[string]string{sinceKey: today},
		},
		Reconcile: func(_, have object) (object, error) {
			stored, ok := have.(*corev1.ConfigMap)
			if !ok {
				return nil, fmt.Errorf("%T is no config map", have)
			}
			if _, err := time.Parse(time.DateOnly, stored.Data[sinceKey]); err == nil {
				return nil, nil
			}
			stored.Data = map[string]string{sinceKey: today}
			return stored, nil
		},
	}
}
