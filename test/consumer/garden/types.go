// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	gardenv1 "consumer.example/garden/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Plant is the hub type. As there is one version, it has that version's shape; it
// must be another Go type, or server-side apply cannot tell the two apart.
type Plant gardenv1.Plant

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PlantList is a list of plants.
type PlantList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Plant
}
