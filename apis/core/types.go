// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Namespace is the hub of corev1.Namespace.
type Namespace corev1.Namespace

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// NamespaceList is the hub of corev1.NamespaceList.
type NamespaceList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Namespace
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ConfigMap is the hub of corev1.ConfigMap.
type ConfigMap corev1.ConfigMap

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ConfigMapList is the hub of corev1.ConfigMapList.
type ConfigMapList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []ConfigMap
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Secret is the hub of corev1.Secret.
type Secret corev1.Secret

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// SecretList is the hub of corev1.SecretList.
type SecretList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Secret
}
